import { readFile } from 'node:fs/promises'
import { setTimeout as delay } from 'node:timers/promises'
import type { Backends } from '../backends.ts'
import { deleteTopic } from '../delete-topic.ts'
import { absoluteFigure, type Figure } from '../figures.ts'
import { startRelay } from './child-process.ts'
import { BenchQueue } from './queue.ts'

const resourceBytes = 5_000_000
const maxRecordBytes = 8_000_000
const megabyte = 1e6
const sampleMs = 10
/** What was used for the last page may be given back after the lane has come to rest. */
const restMs = 3000

interface Resident {
  readonly before: number
  readonly peak: number
  readonly after: number
}

/** Resident memory of a node that rests, while it delivers a backlog of large resources, and when it rests again. Linux only: elsewhere
 *  there is no figure. */
export async function benchMemory(
  backends: Backends,
  { rounds, backlogBytes }: { rounds: number; backlogBytes: number },
): Promise<Figure[]> {
  if (process.platform !== 'linux') return []
  const measured: Resident[] = []
  for (let round = 0; round < rounds; round++) {
    measured.push(await deliverBacklog(backends, `bench_memory_${round}`, backlogBytes))
  }
  const figure = (
    name: string,
    megabytes: (resident: Resident) => number,
    target?: number,
  ): Figure =>
    absoluteFigure({
      suite: 'outbox',
      name: `memory-${name}`,
      unit: 'MB',
      values: measured.map(megabytes),
      ...(target === undefined ? {} : { target }),
    })
  return [
    figure('before', ({ before }) => before),
    figure('peak', ({ peak }) => peak),
    figure('after', ({ after }) => after),
    figure('rise-with-5-mb-resources', ({ before, peak }) => peak - before, 150),
  ]
}

async function deliverBacklog(
  backends: Backends,
  name: string,
  backlogBytes: number,
): Promise<Resident> {
  const queue = await BenchQueue.create(backends, name)
  const destinationId = await queue.addDestination(name, {
    numbers: { maxRequestSize: maxRecordBytes },
    topicConfig: { 'max.message.bytes': String(maxRecordBytes) },
  })
  const node = await startRelay(queue.url)
  try {
    // It has connected and come to rest before anything large comes.
    await queue.enqueue(1)
    await untilDelivered(queue, destinationId, 1)
    await delay(restMs)
    const before = await residentMb(node.processId)
    let peak = before
    const sampling = setInterval(() => {
      void residentMb(node.processId).then((now) => (peak = Math.max(peak, now)))
    }, sampleMs)
    const events = Math.ceil(backlogBytes / resourceBytes)
    await enqueueLarge(queue, events)
    await untilDelivered(queue, destinationId, events + 1)
    clearInterval(sampling)
    await delay(restMs)
    return { before, peak, after: await residentMb(node.processId) }
  } finally {
    await node.end()
    await queue.drop()
    await deleteTopic(backends.bootstrapServers, name)
  }
}

/** In one statement: the whole backlog is there at once. */
async function enqueueLarge({ pool, schema, topicId }: BenchQueue, events: number): Promise<void> {
  await pool.query(
    `insert into ${schema.event} (topic_id, interaction, resource_type, resource_id, version_id, body)
     select $1, 'c', 'QuestionnaireResponse', 'large-' || n, '1',
            '{"resourceType":"QuestionnaireResponse","id":"large-' || n || '","text":{"div":"' || repeat(md5(n::text), $2::int / 32) || '"}}'
       from generate_series(1, $3::int) n`,
    [topicId, resourceBytes, events],
  )
}

async function untilDelivered(
  queue: BenchQueue,
  destinationId: number,
  events: number,
): Promise<void> {
  const endsAtMs = performance.now() + 300_000
  while ((await queue.delivered(destinationId)) < events) {
    if (performance.now() > endsAtMs) throw new Error(`${events} events were not delivered`)
    await delay(50)
  }
}

async function residentMb(processId: number): Promise<number> {
  const status = await readFile(`/proc/${processId}/status`, 'utf8')
  return (Number(/VmRSS:\s+(\d+) kB/.exec(status)?.[1]) * 1024) / megabyte
}
