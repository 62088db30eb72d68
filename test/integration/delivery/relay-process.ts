/** A node with the module loaded that kills itself at one statement: node relay-process.ts '<Settings as JSON>'. Prints "started". */
import { Client, Pool } from 'pg'
import { kafkaTopicDestination } from '../../../src/module.ts'
import type { ModuleOptions } from '../../../src/options.ts'
import { PgHost } from './pg-host.ts'

export interface RelaySettings {
  readonly connectionString: string
  readonly options?: Partial<ModuleOptions>
  /** Releases all undecided events. */
  readonly release?: boolean
  readonly strike?: {
    /** Part of the statement's text. */
    readonly at: string
    readonly when: 'before' | 'after'
    /** How many of them go well before. */
    readonly skip: number
  }
}

type Query = (this: Client, ...args: unknown[]) => unknown

const { connectionString, options, release, strike } = JSON.parse(
  process.argv[2] ?? '',
) as RelaySettings
let skipped = 0

if (strike) {
  // Its overloads cannot be put into one method.
  const prototype = Client.prototype as unknown as { query: Query }
  const query = prototype.query
  prototype.query = function (...args) {
    const [text] = args
    const isMet = typeof text === 'string' && text.includes(strike.at) && skipped++ >= strike.skip
    if (isMet && strike.when === 'before') process.kill(process.pid, 'SIGKILL')
    const result = query.apply(this, args)
    if (isMet) void Promise.resolve(result).then(() => process.kill(process.pid, 'SIGKILL'))
    return result
  }
}

const module = kafkaTopicDestination({
  database: connectionString,
  baseUrl: 'https://fhir.example.org/fhir',
  registryLeaseMs: 200,
  pollIntervalMs: 20,
  ...options,
})
const pool = new Pool({ connectionString })
// The database is gone with the test.
pool.on('error', () => process.exit(1))
module.register(new PgHost(pool))
await module.start()
if (release === true) await module.undecided.release('all')
process.stdout.write('started\n')
