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

/** `control` is `off` once more: what a ratio of equals looks like in this run. */
const variants = ['off', 'on', 'control'] as const

/** A reference server of its own, on a database of its own. */
interface Observed {
  readonly load: HttpLoad
  readonly databaseUrl: string
  readonly metricsUrl: URL
  stop(): Promise<void>
}

/** What is left of the relay's throughput with metrics that are scraped each second and a listener on every channel, beside a server without. */
export async function benchObservability(options: {
  rounds: number
  events: number
}): Promise<Figure[]> {
  const backends = await startBackends()
  const { databaseUrl, bootstrapServers } = backends
  const off = await startObserved(databaseUrl, false)
  const on = await startObserved(databaseUrl, true)
  try {
    const rounds = { rounds: options.rounds, warmUp: 1 }
    const drained = await inTurns(variants, rounds, async (variant, round) => {
      const kafkaTopic = `bench-observed-${variant}-${round + 1}`
      await createTopic(bootstrapServers, kafkaTopic)
      const server = variant === 'on' ? on : off
      const stopScraping = variant === 'on' ? scrapeEach(on.metricsUrl) : () => undefined
      const rate = await drainRelay({ ...server, bootstrapServers }, kafkaTopic, options.events)
      stopScraping()
      return rate
    })
    const figure = ratiosOf('observability', 'events/s', drained)
    return [
      figure('drain-observed', 'on', 'off', 0.98),
      figure('drain-unobserved-again', 'control', 'off'),
    ]
  } finally {
    for (const server of [off, on]) await server.stop()
    await backends.stop()
  }
}

async function startObserved(databaseUrl: string, isObserved: boolean): Promise<Observed> {
  const name = `bench_${isObserved ? 'on' : 'off'}`
  await onServer(databaseUrl, `create database ${name}`)
  const own = urlOfDatabase(databaseUrl, name)
  const server = await startServerProcess(
    { DATABASE_URL: own, LOG_LEVEL: 'error', METRICS: String(isObserved) },
    isObserved ? observedServer : undefined,
  )
  const load = new HttpLoad(server.url, connections)
  await load.send('PUT', benchTopicPath, benchTopic)
  return {
    load,
    databaseUrl: own,
    metricsUrl: new URL('/metrics', server.url),
    async stop() {
      load.close()
      await server.stop()
    },
  }
}

/** @returns ends it */
function scrapeEach(metricsUrl: URL): () => void {
  const timer = setInterval(() => {
    void fetch(metricsUrl)
      .then((response) => response.text())
      .catch(() => undefined)
  }, scrapeIntervalMs)
  return () => {
    clearInterval(timer)
  }
}
