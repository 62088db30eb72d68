import type { ModuleOptions } from '../../src/options.ts'
import { createTopic } from '../../test/helpers/kafka.ts'
import type { Backends } from '../backends.ts'
import type { BareProducerKind } from '../bare-producer.ts'
import { consumedRate } from '../consumed-rate.ts'
import { deleteTopic } from '../delete-topic.ts'
import { ratiosOf, type Figure } from '../figures.ts'
import { inTurns } from '../in-turns.ts'
import { type BenchProcess, startBareProducer, startRelay } from './child-process.ts'
import { pageEvents } from './drain-cursor.ts'
import { BenchQueue } from './queue.ts'

const checkpointTopic = 'to-kafka-checkpoints'
/** Options of the module. */
const relays = {
  'relay-transactional': {},
  'relay-with-checkpoint-topic': { checkpointTopic },
  'relay-idempotent': { transactional: false },
} as const satisfies Readonly<Record<string, Partial<ModuleOptions>>>
type Relay = keyof typeof relays
const relayNames = Object.keys(relays) as Relay[]
const bareProducers = ['transactional', 'transactional-with-checkpoint', 'idempotent'] as const
const variants = [...relayNames, ...bareProducers.map((kind) => `bare-${kind}` as const)]
type Variant = (typeof variants)[number]

function isRelay(variant: Variant): variant is Relay {
  return variant in relays
}

/** Events a second out of a backlog to Kafka, by the module and by node-rdkafka alone with the very same records. Each runs in a process of
 *  its own and is timed by a consumer in this one. */
export async function benchToKafka(
  backends: Backends,
  { rounds, warmUp, events }: { rounds: number; warmUp: number; events: number },
): Promise<Figure[]> {
  const { bootstrapServers } = backends
  const queue = await BenchQueue.create(backends, 'bench_to_kafka')
  const topicOf = (variant: Variant, round: number): string =>
    `to-kafka-${variant}-${round + warmUp}`
  try {
    // Each relay reads the whole log, so it is filled only once. The first run is not counted: the bare ones send what it has made.
    for (let round = -warmUp; round < rounds; round++) {
      for (const variant of relayNames) await queue.addDestination(topicOf(variant, round))
    }
    const source = 'to-kafka-records'
    await queue.addDestination(source)
    await queue.fill(events)
    await createTopic(bootstrapServers, checkpointTopic)
    await drainByRelay(queue, source, events, {})
    const send = async (variant: Variant, topic: string): Promise<number> => {
      if (isRelay(variant)) return drainByRelay(queue, topic, events, relays[variant])
      await createTopic(bootstrapServers, topic)
      const kind = variant.slice('bare-'.length) as BareProducerKind
      return sendBare(bootstrapServers, kind, { from: source, to: topic, events })
    }
    const rates = await inTurns(variants, { rounds, warmUp }, async (variant, round) => {
      const topic = topicOf(variant, round)
      const rate = await send(variant, topic)
      await deleteTopic(bootstrapServers, topic)
      return rate
    })
    const figure = ratiosOf('outbox', 'events/s', rates)
    return [
      figure('drain-to-kafka', 'relay-transactional', 'bare-transactional', 0.8),
      figure(
        'drain-to-kafka-beside-checkpoint',
        'relay-transactional',
        'bare-transactional-with-checkpoint',
      ),
      // Beside offsets on the data topic itself.
      figure(
        'drain-to-kafka-with-checkpoint-topic',
        'relay-with-checkpoint-topic',
        'relay-transactional',
      ),
      figure('drain-to-kafka-not-transactional', 'relay-idempotent', 'bare-idempotent', 0.4),
    ]
  } finally {
    await queue.drop()
  }
}

async function drainByRelay(
  queue: BenchQueue,
  topic: string,
  events: number,
  options: Partial<ModuleOptions>,
): Promise<number> {
  await queue.activateOnly(topic)
  let relay: BenchProcess | undefined
  try {
    return await consumedRate(queue.bootstrapServers, topic, events, async () => {
      relay = await startRelay(queue.url, { ...options, maxPageEvents: pageEvents })
    })
  } finally {
    await relay?.end()
  }
}

async function sendBare(
  bootstrapServers: string,
  kind: BareProducerKind,
  sent: { from: string; to: string; events: number },
): Promise<number> {
  const perTransaction = pageEvents
  const producer = await startBareProducer({ ...sent, kind, bootstrapServers, perTransaction })
  try {
    return await consumedRate(bootstrapServers, sent.to, sent.events, () => {
      producer.go()
    })
  } finally {
    await producer.end()
  }
}
