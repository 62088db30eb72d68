/** A relay as a process of its own, for tests that kill it: relay-process.ts <connection string> */
import { openPool } from '../../../src/database-pool.ts'
import { CaptureRelay } from '../../../src/history-tables/capture-relay.ts'
import { silentLogger } from '../../../src/observability/logger.ts'
import { capturePlan, recordingHooks, unitsOf } from './captures.ts'

const [, , database = ''] = process.argv
const relay = new CaptureRelay({
  database,
  pool: openPool(database, silentLogger),
  schema: capturePlan().schema,
  unitOfWork: unitsOf(recordingHooks()),
  // Small, so that a kill meets every stage of a page.
  maxPageChanges: 7,
  maxPageBytes: 1024 * 1024,
  pollIntervalMs: 10,
  logger: silentLogger,
})
await relay.start()
process.stdout.write('relaying\n')
