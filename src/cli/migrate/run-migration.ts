import { openPool } from '../../database-pool.ts'
import { isTopicDestinationError, TopicDestinationError } from '../../errors.ts'
import { silentLogger } from '../../observability/logger.ts'
import { migrateOutbox, outboxVersion, readOutboxVersion } from '../../outbox/migrations.ts'
import type { OutboxSchema } from '../../outbox/schema.ts'

export interface MigrationOptions {
  /** Absent: what PGHOST, PGUSER and so on say. */
  readonly databaseUrl: string | undefined
  readonly schema: OutboxSchema
  /** Only look. */
  readonly isCheck: boolean
}

/** Versions of a schema; 0: there is none. */
export interface Versions {
  readonly before: number
  readonly after: number
  /** What this version of the module works with. */
  readonly wanted: number
}

/** @throws TopicDestinationError `KTD_DATABASE`, `KTD_SCHEMA_TOO_NEW` */
export async function runMigration({
  databaseUrl,
  schema,
  isCheck,
}: MigrationOptions): Promise<Versions> {
  try {
    const pool = openPool(databaseUrl ?? {}, silentLogger, { max: 1 })
    try {
      const before = await (isCheck ? readOutboxVersion(pool, schema) : migrateOutbox(pool, schema))
      return { before, after: isCheck ? before : outboxVersion, wanted: outboxVersion }
    } finally {
      await pool.end()
    }
  } catch (error) {
    if (isTopicDestinationError(error) || !(error instanceof Error)) throw error
    // Two addresses of one host that refuse are one error without words.
    const { code = '' } = error as Error & { code?: string }
    throw new TopicDestinationError('KTD_DATABASE', `The database: ${error.message || code}.`, {
      cause: error,
    })
  }
}
