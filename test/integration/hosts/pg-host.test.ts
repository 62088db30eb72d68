import { randomUUID } from 'node:crypto'
import { describe, it } from 'node:test'
import { fromPg } from '../../../src/host/sql-tx.ts'
import type { FhirResource } from '../../../src/host/types.ts'
import { hostConformance, type HostUnderTest, type HostWrites } from '../../../src/testing/index.ts'
import { testDatabase, type TestDatabase } from '../../helpers/postgres.ts'
import { PgHost, type Writes } from '../delivery/pg-host.ts'

let sharedDatabase: Promise<TestDatabase> | undefined
const database = () => (sharedDatabase ??= migratedDatabase())

async function migratedDatabase(): Promise<TestDatabase> {
  const migrated = await testDatabase({ name: 'pg host' })
  await PgHost.migrate(migrated.pool)
  return migrated
}

const pgHost: HostUnderTest = {
  async start(module) {
    const { pool } = await database()
    const host = new PgHost(pool)
    module.register(host)
    await module.start()
    return {
      writes: hostWrites((work) => host.transaction(work)),
      transaction: (work) =>
        host.transaction((writes) => work(hostWrites((write) => write(writes)))),
      database: fromPg(pool),
      stop: () => module.stop(),
    }
  },
  lacks: {
    history: 'it keeps no versions',
    savepoints: 'it has none',
    statements: 'it runs no SQL of its callers',
    retries: 'it repeats nothing: no test of delivery needs it',
    patch: 'it has PUT and DELETE only',
    rest: 'it has no HTTP',
    bundles: 'it has no HTTP',
    requestHeaders: 'it has no HTTP',
    refusedCaller: 'it has no HTTP',
  },
}

function hostWrites(run: (work: (writes: Writes) => Promise<void>) => Promise<void>): HostWrites {
  const update = async (resource: FhirResource): Promise<FhirResource> => {
    const stored = { ...resource, id: resource.id ?? randomUUID() }
    await run((writes) => writes.put(stored))
    return stored
  }
  return {
    create: update,
    update,
    delete: (resourceType, id) => run((writes) => writes.delete(`${resourceType}/${id}`)),
  }
}

describe('host conformance: the host of the delivery tests', () => {
  for (const { name, skip, run } of hostConformance(pgHost)) it(name, { skip }, run)
})
