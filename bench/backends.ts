import { Pool } from 'pg'
import { startPostgres } from '../src/server/embedded/embedded-postgres.ts'
import { startKafkaBroker } from '../test/helpers/kafka-broker.ts'

export interface Backends {
  readonly databaseUrl: string
  readonly bootstrapServers: string
  stop(): Promise<void>
}

/** A real PostgreSQL and a real Kafka on this machine's loopback.
 *  @param settings of PostgreSQL, as in postgresql.conf; it runs without fsync unless they say otherwise */
export async function startBackends(
  settings: Readonly<Record<string, string>> = {},
): Promise<Backends> {
  const postgres = await startPostgres({ settings })
  const kafka = await startKafkaBroker()
  return {
    databaseUrl: postgres.connectionString,
    bootstrapServers: kafka.bootstrapServers,
    async stop() {
      await kafka.stop()
      await postgres.stop()
    },
  }
}

/** Runs one statement on a connection of its own. */
export async function onServer(databaseUrl: string, statement: string): Promise<void> {
  const pool = new Pool({ connectionString: databaseUrl, max: 1 })
  try {
    await pool.query(statement)
  } finally {
    await pool.end()
  }
}

/** URL of a database on the same server.
 *  @param name of the database, which need not be there yet */
export function urlOfDatabase(serverUrl: string, name: string): string {
  const url = new URL(serverUrl)
  url.pathname = `/${name}`
  return url.href
}
