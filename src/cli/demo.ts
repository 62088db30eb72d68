import { pathToFileURL } from 'node:url'
import { TopicDestinationError } from '../errors.ts'
import { kafkaTopicDestination } from '../module.ts'
import { createServer, type ReferenceServer } from '../server/create-server.ts'
import { startMockKafka } from '../server/embedded/embedded-kafka.ts'
import { startPostgres } from '../server/embedded/embedded-postgres.ts'
import { startFailure } from '../server/start-failure.ts'
import { createKafkaTopics, readRecords, type ReadRecord } from './demo-consumer.ts'
import { demoCorrelationId, demoTopic, demoDestination, demoResponse } from './demo-resources.ts'

/** What `npm run demo` prints and does; `--keep` leaves everything running. */
async function demo(keep: boolean): Promise<void> {
  const stops: Stop[] = []
  try {
    const databaseUrl = process.env['DATABASE_URL'] ?? (await embeddedPostgres(stops))
    const given = process.env['KAFKA_BOOTSTRAP_SERVERS']
    const bootstrapServers = given ?? (await embeddedKafka(stops))
    const run = Date.now().toString(36)
    // The mock cluster makes topics by itself and does not know the request.
    if (given !== undefined) await createTopicsOn(given, run)
    const server = await startServer(databaseUrl, stops)
    await play(server, bootstrapServers, run)
    if (keep) await keepRunning(server, databaseUrl, bootstrapServers)
  } finally {
    for (const stop of stops.reverse()) await stop()
  }
}

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

async function play(server: ReferenceServer, bootstrapServers: string, run: string): Promise<void> {
  const kafkaTopics = kafkaTopicsOf(run)
  await put(server, demoTopic(run))
  await put(server, demoDestination('kafka-at-least-once', kafkaTopics[0], bootstrapServers, run))
  await put(server, demoDestination('kafka-best-effort', kafkaTopics[1], bootstrapServers, run))
  say('Created          one AidboxSubscriptionTopic and one AidboxTopicDestination of each kind')

  const id = `demo-${run}`
  await put(server, demoResponse(id, 'in-progress'))
  await put(server, demoResponse(id, 'completed'))
  say(`Wrote            QuestionnaireResponse/${id}: in-progress, then completed\n`)

  for (const kafkaTopic of kafkaTopics) print(await readRecords(bootstrapServers, kafkaTopic, 1))
  for (const kind of ['kafka-at-least-once', 'kafka-best-effort']) {
    await printStatus(server, `AidboxTopicDestination/${kind}-${run}`)
  }
}

async function embeddedPostgres(stops: Stop[]): Promise<string> {
  const postgres = await startPostgres()
  stops.push(() => postgres.stop())
  say('PostgreSQL       started for this demo, removed at its end (DATABASE_URL uses yours)')
  return postgres.connectionString
}

async function embeddedKafka(stops: Stop[]): Promise<string> {
  const kafka = await startMockKafka()
  stops.push(() => kafka.stop())
  say(`Kafka            librdkafka's own mock cluster, in memory, at ${kafka.bootstrapServers}`)
  say('                 (not a real Kafka: KAFKA_BOOTSTRAP_SERVERS uses yours)')
  return kafka.bootstrapServers
}

async function startServer(databaseUrl: string, stops: Stop[]): Promise<ReferenceServer> {
  const server = await createServer({ databaseUrl, host: '127.0.0.1', port: 0 })
  stops.push(() => server.close())
  server.load(kafkaTopicDestination({ database: databaseUrl, baseUrl: server.url }))
  await server.listen()
  say(`FHIR server      ${server.url}`)
  return server
}

async function put(
  server: ReferenceServer,
  resource: { resourceType: string; id: string },
): Promise<void> {
  const response = await fetch(`${server.url}/${resource.resourceType}/${resource.id}`, {
    method: 'PUT',
    headers: {
      'content-type': 'application/fhir+json',
      'x-topic-correlation-id': demoCorrelationId,
    },
    body: JSON.stringify(resource),
  })
  if (!response.ok) throw new Error(`${response.status} ${await response.text()}`)
}

function print(records: readonly ReadRecord[]): void {
  for (const { kafkaTopic, partition, offset, key, headers, value } of records) {
    say(`Kafka record     ${kafkaTopic} [${partition}] @${offset}, key ${key ?? '(none)'}`)
    for (const [name, text] of headers) say(`                 ${name}: ${text}`)
    say(`${JSON.stringify(JSON.parse(value), null, 2)}\n`)
  }
}

/** Prints $status once it has counted the delivery. */
async function printStatus(server: ReferenceServer, reference: string): Promise<void> {
  for (const deadlineMs = Date.now() + 10_000; ;) {
    const response = await fetch(`${server.url}/${reference}/$status`)
    const text = await response.text()
    const isCounted = /"messagesDelivered","valueDecimal":1\b/.test(text)
    if (!isCounted && response.ok && Date.now() < deadlineMs) continue
    say(`GET ${reference}/$status`)
    return say(`${JSON.stringify(JSON.parse(text), null, 2)}\n`)
  }
}

async function keepRunning(
  server: ReferenceServer,
  databaseUrl: string,
  kafka: string,
): Promise<void> {
  say(`Running until Ctrl-C: ${server.url}\nPostgreSQL: ${databaseUrl}\nKafka: ${kafka}`)
  await new Promise<void>((resolve) => {
    for (const signal of ['SIGINT', 'SIGTERM'] as const)
      process.once(signal, () => {
        resolve()
      })
  })
}

function say(line: string): void {
  process.stdout.write(`${line}\n`)
}

/** @returns the exit code */
async function main(args: readonly string[]): Promise<number> {
  const unknown = args.find((arg) => arg !== '--keep')
  if (unknown !== undefined) {
    process.stderr.write(`There is no option ${unknown}. npm run demo -- [--keep]\n`)
    return 1
  }
  try {
    await demo(args.includes('--keep'))
    return 0
  } catch (error) {
    process.stderr.write(`${startFailure(error)}\n`)
    return 1
  }
}

if (process.argv[1] !== undefined && import.meta.url === pathToFileURL(process.argv[1]).href) {
  process.exit(await main(process.argv.slice(2)))
}
