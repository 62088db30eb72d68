import { startPostgres } from '../src/server/embedded/embedded-postgres.ts'
import { startKafkaBroker } from '../test/helpers/kafka-broker.ts'
import { startServerProcess, type ServerProcess } from '../test/helpers/server-process.ts'
import { HttpLoad } from './http-load.ts'

export interface BenchServices {
  readonly databaseUrl: string
  readonly bootstrapServers: string
  readonly server: ServerProcess
  readonly load: HttpLoad
  stop(): Promise<void>
}

/** A real PostgreSQL, a real Kafka and the reference server as a process of its own, all on this machine's loopback. */
export async function startBenchServices(connections: number): Promise<BenchServices> {
  const postgres = await startPostgres()
  const kafka = await startKafkaBroker()
  const server = await startServerProcess({
    DATABASE_URL: postgres.connectionString,
    KAFKA_BOOTSTRAP_SERVERS: kafka.bootstrapServers,
    LOG_LEVEL: 'error',
  })
  const load = new HttpLoad(server.url, connections)
  return {
    databaseUrl: postgres.connectionString,
    bootstrapServers: kafka.bootstrapServers,
    server,
    load,
    async stop() {
      load.close()
      await server.stop()
      await kafka.stop()
      await postgres.stop()
    },
  }
}
