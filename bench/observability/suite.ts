import { fileURLToPath } from 'node:url'
import { createTopic } from '../../test/helpers/kafka.ts'
import { startServerProcess } from '../../test/helpers/server-process.ts'
import { onServer, startBackends, urlOfDatabase } from '../backends.ts'
import { benchTopic, benchTopicPath } from '../bench-resources.ts'
import { drainRelay } from '../drain.ts'
import { ratiosOf, type Figure } from '../figures.ts'
import { HttpLoad } from '../http-load.ts'
import { inTurns } from '../in-turns.ts'

const observedServer = fileURLToPath(new URL('observed-server.ts', import.meta.url))
const scrapeIntervalMs = 1000
const connections = 8

type Variant = 'off' | 'on'

/** A reference server of its own, on a database of its own. */
interface Observed {
  readonly load: HttpLoad
  readonly databaseUrl: string
  stop(): Promise<void>
}

/** What is left of the relay's throughput with metrics that are scraped each second and a listener on every channel, beside a server without. */
export async function benchObservability(options: {
  rounds: number
  events: number
}): Promise<Figure[]> {
  const backends = await startBackends()
  const { databaseUrl, bootstrapServers } = backends
  const servers: Record<Variant, Observed> = {
    off: await startObserved(databaseUrl, 'off'),
    on: await startObserved(databaseUrl, 'on'),
  }
  try {
    const rounds = { rounds: options.rounds, warmUp: 1 }
    const drained = await inTurns(['off', 'on'] as const, rounds, async (variant, round) => {
      const kafkaTopic = `bench-observed-${variant}-${round + 1}`
      await createTopic(bootstrapServers, kafkaTopic)
      return drainRelay({ ...servers[variant], bootstrapServers }, kafkaTopic, options.events)
    })
    return [ratiosOf('observability', 'events/s', drained)('drain-observed', 'on', 'off', 0.98)]
  } finally {
    for (const server of Object.values(servers)) await server.stop()
    await backends.stop()
  }
}

async function startObserved(databaseUrl: string, variant: Variant): Promise<Observed> {
  const name = `bench_${variant}`
  await onServer(databaseUrl, `create database ${name}`)
  const own = urlOfDatabase(databaseUrl, name)
  const server = await startServerProcess(
    { DATABASE_URL: own, LOG_LEVEL: 'error', METRICS: String(variant === 'on') },
    variant === 'on' ? observedServer : undefined,
  )
  const load = new HttpLoad(server.url, connections)
  await load.send('PUT', benchTopicPath, benchTopic)
  const stopScraping = variant === 'on' ? scrapeEach(server.url) : () => undefined
  return {
    load,
    databaseUrl: own,
    async stop() {
      stopScraping()
      load.close()
      await server.stop()
    },
  }
}

function scrapeEach(serverUrl: string): () => void {
  const timer = setInterval(() => {
    void fetch(new URL('/metrics', serverUrl))
      .then((response) => response.text())
      .catch(() => undefined)
  }, scrapeIntervalMs)
  return () => {
    clearInterval(timer)
  }
}
