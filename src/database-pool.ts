import { Pool, type PoolConfig } from 'pg'
import type { Logger } from './observability/logger.ts'

/** A connection string, or what pg takes. */
export type Database = string | PoolConfig

/** The log is never analysed, so its costs look high, and compiling a statement (300 ms) takes longer than running it. A statement that has
 *  waited for a host's transaction goes on with what that one has committed, whatever level the database's transactions begin at. */
const sessionSettings = '-c jit=off -c default_transaction_isolation=read\\ committed'

/** No statement of ours takes long. A connection whose other end is gone without a word must not hold a lane for ever. */
const poolDefaults: PoolConfig = {
  application_name: 'fhir-topic-destination-kafka',
  connectionTimeoutMillis: 10_000,
  query_timeout: 120_000,
  keepAlive: true,
  options: [process.env['PGOPTIONS'], sessionSettings].filter(Boolean).join(' '),
}

/** @param limits that hold whatever the configuration of the database says */
export function openPool(database: Database, logger: Logger, limits: PoolConfig = {}): Pool {
  const pool = new Pool({ ...poolDefaults, ...poolConfig(database), ...limits })
  // A connection that breaks while idle is replaced at the next query.
  pool.on('error', (error) => {
    logger.warn({ err: error }, 'an idle database connection was lost')
  })
  return pool
}

export function poolConfig(database: Database): PoolConfig {
  return typeof database === 'string' ? { connectionString: database } : database
}
