import { TopicDestinationError } from '../../errors.ts'
import { kafkaTopicDestination } from '../../module.ts'
import { createServer } from '../../server/create-server.ts'
import { startMockKafka } from '../../server/embedded/embedded-kafka.ts'
import { startPostgres } from '../../server/embedded/embedded-postgres.ts'
import { createKafkaTopics, readRecords, type ReadRecord } from './demo-consumer.ts'
import { demoCorrelationId, demoTopic, demoDestination, demoResponse } from './demo-resources.ts'

/** Shows a write on its way to Kafka, on a server of its own. What it has written to a given database is deleted at the end.
 *  @throws what `startFailure` tells */
export async function runDemo({ env, say, played }: DemoCall): Promise<void> {
  const stops: Stop[] = []
  try {
    const givenDatabase = env['DATABASE_URL']
    const databaseUrl = givenDatabase ?? (await embeddedPostgres(say, stops))
    const given = env['KAFKA_BOOTSTRAP_SERVERS']
    const bootstrapServers = given ?? (await embeddedKafka(say, stops))
    const run = Date.now().toString(36)
    // The mock cluster makes topics by itself and does not know the request.
    if (given !== undefined) await createTopicsOn(given, run)
    const server = await startServer(databaseUrl, say, stops)
    // Whoever uses this database next would look for Kafka where the demo had its own.
    if (givenDatabase !== undefined) stops.push(() => removeWritten(server, say))
    const shown = await play(server, bootstrapServers, run, say)
    await played({ url: server.url, databaseUrl, bootstrapServers, ...shown })
  } finally {
    for (const stop of stops.reverse()) await stop()
  }
}

export interface DemoCall {
  readonly env: NodeJS.ProcessEnv
  /** Takes what is told on the way. */
  readonly say: (text: string) => void
  /** Called when all is shown; then everything is stopped and removed. */
  readonly played: (result: DemoResult) => Promise<void>
}

export interface DemoResult extends DemoShown {
  readonly url: string
  readonly databaseUrl: string
  readonly bootstrapServers: string
}

interface DemoShown {
  readonly records: readonly ReadRecord[]
  /** Answers of `$status`, by destination. */
  readonly status: Readonly<Record<string, unknown>>
}

interface DemoServer {
  readonly url: string
  /** References to what the demo has written. */
  readonly written: Set<string>
}

type Say = DemoCall['say']
type Stop = () => Promise<void>

async function createTopicsOn(bootstrapServers: string, run: string): Promise<void> {
  try {
    await createKafkaTopics(bootstrapServers, kafkaTopicsOf(run))
  } catch (error) {
    const cause = error instanceof Error ? error.message : String(error)
    throw new TopicDestinationError(
      'KTD_KAFKA',
      `KAFKA_BOOTSTRAP_SERVERS (${bootstrapServers}): no topic could be created. ${cause}`,
    )
  }
}

function kafkaTopicsOf(run: string): [atLeastOnce: string, bestEffort: string] {
  return [`demo-at-least-once-${run}`, `demo-best-effort-${run}`]
}

async function play(
  server: DemoServer,
  bootstrapServers: string,
  run: string,
  say: Say,
): Promise<DemoShown> {
  const kafkaTopics = kafkaTopicsOf(run)
  await put(server, demoTopic(run))
  await put(server, demoDestination('kafka-at-least-once', kafkaTopics[0], bootstrapServers, run))
  await put(server, demoDestination('kafka-best-effort', kafkaTopics[1], bootstrapServers, run))
  say('Created          one AidboxSubscriptionTopic and one AidboxTopicDestination of each kind')

  const id = `demo-${run}`
  await put(server, demoResponse(id, 'in-progress'))
  await put(server, demoResponse(id, 'completed'))
  say(`Wrote            QuestionnaireResponse/${id}: in-progress, then completed\n`)

  const records: ReadRecord[] = []
  for (const kafkaTopic of kafkaTopics) {
    records.push(...(await readRecords(bootstrapServers, kafkaTopic, 1)))
  }
  for (const record of records) sayRecord(record, say)
  const status: Record<string, unknown> = {}
  for (const kind of ['kafka-at-least-once', 'kafka-best-effort']) {
    const reference = `AidboxTopicDestination/${kind}-${run}`
    const answer = await countedStatus(server, reference)
    status[reference] = answer
    say(`GET ${reference}/$status\n${JSON.stringify(answer, null, 2)}\n`)
  }
  return { records, status }
}

async function embeddedPostgres(say: Say, stops: Stop[]): Promise<string> {
  const postgres = await startPostgres()
  stops.push(() => postgres.stop())
  say('PostgreSQL       started for this demo, removed at its end (DATABASE_URL uses yours)')
  return postgres.connectionString
}

async function embeddedKafka(say: Say, stops: Stop[]): Promise<string> {
  const kafka = await startMockKafka()
  stops.push(() => kafka.stop())
  say(`Kafka            librdkafka's own mock cluster, in memory, at ${kafka.bootstrapServers}`)
  say('                 (not a real Kafka: KAFKA_BOOTSTRAP_SERVERS uses yours)')
  return kafka.bootstrapServers
}

async function startServer(databaseUrl: string, say: Say, stops: Stop[]): Promise<DemoServer> {
  const server = await createServer({ databaseUrl, host: '127.0.0.1', port: 0 })
  stops.push(() => server.close())
  const module = kafkaTopicDestination({ database: databaseUrl, baseUrl: server.url })
  server.load(module)
  server.serveConsole(module)
  await server.listen()
  say(`FHIR server      ${server.url}`)
  return { url: server.url, written: new Set() }
}

async function put(
  server: DemoServer,
  resource: { resourceType: string; id: string },
): Promise<void> {
  const reference = `${resource.resourceType}/${resource.id}`
  const response = await fetch(`${server.url}/${reference}`, {
    method: 'PUT',
    headers: {
      'content-type': 'application/fhir+json',
      'x-topic-correlation-id': demoCorrelationId,
    },
    body: JSON.stringify(resource),
  })
  if (!response.ok) throw new Error(`${response.status} ${await response.text()}`)
  server.written.add(reference)
}

/** The last first: a topic goes after its destinations. */
async function removeWritten({ url, written }: DemoServer, say: Say): Promise<void> {
  for (const reference of [...written].reverse()) {
    const { ok, status } = await fetch(`${url}/${reference}`, { method: 'DELETE' })
    if (!ok) say(`Not deleted      ${reference}: the server answers ${status}`)
  }
}

function sayRecord(
  { kafkaTopic, partition, offset, key, headers, value }: ReadRecord,
  say: Say,
): void {
  say(`Kafka record     ${kafkaTopic} [${partition}] @${offset}, key ${key ?? '(none)'}`)
  for (const [name, text] of headers) say(`                 ${name}: ${text}`)
  say(`${JSON.stringify(JSON.parse(value), null, 2)}\n`)
}

/** $status once it has counted the delivery. */
async function countedStatus(server: DemoServer, reference: string): Promise<unknown> {
  for (const deadlineMs = Date.now() + 10_000; ;) {
    const response = await fetch(`${server.url}/${reference}/$status`)
    const text = await response.text()
    const isCounted = /"messagesDelivered","valueDecimal":1\b/.test(text)
    if (isCounted || !response.ok || Date.now() >= deadlineMs) return JSON.parse(text) as unknown
  }
}
