import { closeBrowser, testBrowser } from '../test/helpers/browser.ts'
import { createTopic } from '../test/helpers/kafka.ts'
import { startServerProcess } from '../test/helpers/server-process.ts'
import { destinationResource, topicResource } from '../test/helpers/topic-resources.ts'
import { startBackends } from './backends.ts'
import { benchDestination, benchTopic, benchTopicPath } from './bench-resources.ts'
import { drainRelay } from './drain.ts'
import { absoluteFigure, ratiosOf, type Figure } from './figures.ts'
import { HttpLoad } from './http-load.ts'
import { inTurns } from './in-turns.ts'

const connections = 8
const destinations = 200
/** `control` is `closed` once more: what a ratio of equals looks like in this run. */
const variants = ['closed', 'open', 'control'] as const
const pageRounds = 7

/** What the console costs the relay while somebody watches 200 destinations and the tail, and how quickly and how large its first page comes. */
export async function benchConsole(options: { rounds: number; events: number }): Promise<Figure[]> {
  const backends = await startBackends()
  const { databaseUrl, bootstrapServers } = backends
  const server = await startServerProcess({ DATABASE_URL: databaseUrl, LOG_LEVEL: 'error' })
  const load = new HttpLoad(server.url, connections)
  const consoleUrl = server.url.replace(/\/fhir$/, '/console/')
  try {
    await load.send('POST', '', otherDestinations(bootstrapServers))
    const rounds = { rounds: options.rounds, warmUp: 1 }
    const drained = await inTurns(variants, rounds, async (variant, round) => {
      const kafkaTopic = `bench-console-${variant}-${round + 1}`
      await createTopic(bootstrapServers, kafkaTopic)
      const close = variant === 'open' ? await watch(consoleUrl) : () => undefined
      const rate = await drainRelay(
        { load, databaseUrl, bootstrapServers },
        kafkaTopic,
        options.events,
      )
      close()
      return rate
    })
    const pages = []
    for (let round = 0; round < Math.min(options.rounds, pageRounds); round++)
      pages.push(await firstPage(consoleUrl))
    const ready = pages.map(({ readyMs }) => readyMs)
    const sent = pages.map(({ transferredKb }) => transferredKb)
    const figure = ratiosOf('console', 'events/s', drained)
    return [
      figure('drain-watched', 'open', 'closed', 0.98),
      figure('drain-unwatched-again', 'control', 'closed'),
      absoluteFigure({ suite: 'console', name: 'ready', unit: 'ms', values: ready, target: 1000 }),
      absoluteFigure({
        suite: 'console',
        name: 'transferred',
        unit: 'kB',
        values: sent,
        target: 150,
      }),
    ]
  } finally {
    load.close()
    await closeBrowser()
    await server.stop()
    await backends.stop()
  }
}

/** All but the one that is drained. The first of them has the topic whose queue is filled. */
function otherDestinations(bootstrapServers: string): object {
  const effort = benchDestination('kafka-best-effort', 'bench-effort', bootstrapServers)
  const quiet = Array.from({ length: destinations - 2 }, (_each, index) =>
    destinationResource(
      `quiet-${index}`,
      'kafka-at-least-once',
      'quiet',
      `quiet-${index}`,
      bootstrapServers,
      { status: 'off' },
    ),
  )
  const entries: readonly (readonly [string, object])[] = [
    [benchTopicPath.slice(1), benchTopic],
    ['AidboxSubscriptionTopic/quiet', topicResource('quiet', { resource: 'Basic' })],
    ['AidboxTopicDestination/kafka-best-effort', effort],
    ...quiet.map((resource) => [`AidboxTopicDestination/${resource.id}`, resource] as const),
  ]
  return {
    resourceType: 'Bundle',
    type: 'transaction',
    entry: entries.map(([url, resource]) => ({ resource, request: { method: 'PUT', url } })),
  }
}

/** As the pages do: the list of destinations and the tail, live.
 *  @returns ends it */
async function watch(consoleUrl: string): Promise<() => void> {
  const end = new AbortController()
  for (const path of ['destinations', 'tail']) {
    const response = await fetch(`${consoleUrl}api/${path}`, {
      headers: { accept: 'text/event-stream' },
      signal: end.signal,
    })
    if (!response.ok || !response.body) throw new Error(`${path}: ${response.status}`)
    void response.body.pipeTo(new WritableStream()).catch(() => undefined)
  }
  return () => {
    end.abort()
  }
}

/** From the beginning of the navigation until the list stands there, in a browser that knows nothing yet. */
async function firstPage(
  consoleUrl: string,
): Promise<{ readonly readyMs: number; readonly transferredKb: number }> {
  const browser = await testBrowser()
  const context = await browser.newContext({ locale: 'en-US' })
  const page = await context.newPage()
  await page.goto(consoleUrl)
  await page.getByRole('link', { name: 'quiet-0', exact: true }).waitFor()
  const readyMs = await page.evaluate<number>('performance.now()')
  const files = await page.evaluate<number>(
    "[...performance.getEntriesByType('navigation'), ...performance.getEntriesByType('resource')].reduce((sum, { transferSize = 0 }) => sum + transferSize, 0)",
  )
  // What came over the stream is no entry while the stream is open.
  const list = await (await fetch(`${consoleUrl}api/destinations`)).arrayBuffer()
  await context.close()
  return { readyMs, transferredKb: (files + list.byteLength) / 1000 }
}
