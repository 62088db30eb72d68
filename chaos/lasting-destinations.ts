import { createTopic, uniqueName } from '../test/helpers/kafka.ts'
import type { Destinations, DestinationState } from './destinations.ts'
import { oversizedBytes } from './writers.ts'

/** The Kafka topics of a run. */
export interface KafkaTopics {
  readonly partitionCount: number
  /** By id of the destination. */
  readonly lasting: Readonly<Record<LastingId, string>>
  /** For destinations that come and go. */
  readonly spare: readonly string[]
  /** Everything that carries notifications. */
  readonly all: readonly string[]
  /** For the offsets of checkpoints; nothing is written to it. */
  readonly checkpoint: string
}

type LastingId = 'everything' | 'active' | 'best-effort'

/** Destinations that are there before the first write and stay: what they get is known exactly. */
const lasting: Readonly<Record<LastingId, Omit<DestinationState, 'kafkaTopic' | 'status'>>> = {
  everything: {
    kind: 'kafka-at-least-once',
    topic: 'everything',
    content: 'full-resource',
    maxRequestSize: oversizedBytes,
  },
  active: { kind: 'kafka-at-least-once', topic: 'active-patients', content: 'id-only' },
  'best-effort': { kind: 'kafka-best-effort', topic: 'everything', content: 'full-resource' },
}

const partitionCount = 3

export async function createKafkaTopics(bootstrapServers: string): Promise<KafkaTopics> {
  const run = uniqueName('chaos')
  const names: Readonly<Record<LastingId, string>> = {
    everything: `${run}-everything`,
    active: `${run}-active`,
    'best-effort': `${run}-best-effort`,
  }
  const spare = ['a', 'b', 'c'].map((name) => `${run}-spare-${name}`)
  const all = [...Object.values(names), ...spare]
  for (const topic of all) {
    await createTopic(bootstrapServers, topic, { partitions: partitionCount })
  }
  const checkpoint = `${run}-checkpoints`
  await createTopic(bootstrapServers, checkpoint)
  return { partitionCount, lasting: names, spare, all, checkpoint }
}

export async function putLasting(
  destinations: Destinations,
  { lasting: names }: KafkaTopics,
  random: () => number,
): Promise<void> {
  for (const [id, state] of Object.entries(lasting)) {
    const kafkaTopic = names[id as LastingId]
    await destinations.put(id, { ...state, kafkaTopic, status: 'active' }, random)
  }
}
