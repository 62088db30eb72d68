import { startServerProcess, type ServerProcess } from '../test/helpers/server-process.ts'
import { startBackends, type Backends } from './backends.ts'
import { benchTopic, benchTopicPath } from './bench-resources.ts'
import { HttpLoad } from './http-load.ts'

export interface BenchServices extends Backends {
  readonly server: ServerProcess
  readonly load: HttpLoad
}

/** PostgreSQL, Kafka and the reference server as a process of its own. */
export async function startBenchServices(connections: number): Promise<BenchServices> {
  const backends = await startBackends()
  const server = await startServerProcess({
    DATABASE_URL: backends.databaseUrl,
    KAFKA_BOOTSTRAP_SERVERS: backends.bootstrapServers,
    LOG_LEVEL: 'error',
  })
  const load = new HttpLoad(server.url, connections)
  // Every suite may run alone.
  await load.send('PUT', benchTopicPath, benchTopic)
  return {
    ...backends,
    server,
    load,
    async stop() {
      load.close()
      await server.stop()
      await backends.stop()
    },
  }
}
