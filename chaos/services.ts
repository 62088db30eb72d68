import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Client } from 'pg'
import { startPostgres, type PostgresServer } from '../src/server/embedded/embedded-postgres.ts'
import { startKafkaBroker } from '../test/helpers/kafka-broker.ts'

/** A PostgreSQL that can be taken away. */
export interface PostgresControl {
  /** Fast shutdown (open transactions are rolled back) and start. */
  restart(): Promise<void>
  /** SIGKILL of the server and its sessions, and start. */
  crash(pauseMs: number): Promise<void>
}

/** A broker that can be taken away. */
export interface KafkaControl {
  kill(): Promise<void>
  start(): Promise<void>
  pause(): void
  resume(): void
}

/** What a run works on. Without a control it is not the run's own, and its faults are left out. */
export interface Services {
  readonly databaseUrl: string
  readonly bootstrapServers: string
  readonly postgres?: PostgresControl
  readonly kafka?: KafkaControl
}

type Stop = () => Promise<void>

/** Starts a PostgreSQL and an Apache Kafka on loopback. What is to end is added to `stops` as soon as it runs. */
export async function startServices(stops: Stop[]): Promise<Required<Services>> {
  const started = await Promise.allSettled([ownPostgres(stops), ownKafka(stops)])
  const [postgres, kafka] = started
  if (postgres.status === 'rejected') throw postgres.reason
  if (kafka.status === 'rejected') throw kafka.reason
  return { ...postgres.value, ...kafka.value }
}

async function ownPostgres(
  stops: Stop[],
): Promise<Required<Pick<Services, 'databaseUrl' | 'postgres'>>> {
  const dataDirectory = await mkdtemp(join(tmpdir(), 'topic-destination-chaos-'))
  stops.push(() => rm(dataDirectory, { recursive: true, force: true }))
  const settings = { max_connections: '300', fsync: 'off' }
  let server: PostgresServer = await startPostgres({ dataDirectory, settings })
  stops.push(() => server.stop())
  const { connectionString, port } = server
  const databaseUrl = await createDatabase(connectionString)
  const start = async (): Promise<void> => {
    server = await startPostgres({ dataDirectory, port, settings })
  }
  return {
    databaseUrl,
    postgres: {
      async restart() {
        await server.stop()
        await start()
      },
      async crash(pauseMs) {
        await server.kill()
        await new Promise((resolve) => setTimeout(resolve, pauseMs))
        await start()
      },
    },
  }
}

/** Not the server's first database: long transactions in another one are among the faults. */
async function createDatabase(server: string): Promise<string> {
  const client = new Client({ connectionString: server })
  await client.connect()
  try {
    await client.query('create database chaos')
  } finally {
    await client.end()
  }
  const url = new URL(server)
  url.pathname = '/chaos'
  return url.href
}

async function ownKafka(
  stops: Stop[],
): Promise<Required<Pick<Services, 'bootstrapServers' | 'kafka'>>> {
  const kafka = await startKafkaBroker()
  stops.push(() => kafka.stop())
  return { bootstrapServers: kafka.bootstrapServers, kafka }
}
