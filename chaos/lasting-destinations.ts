import { createTopic, uniqueName } from '../test/helpers/kafka.ts'
import type { Destinations, DestinationState } from './destinations.ts'
import { oversizedBytes } from './writers.ts'

/** The Kafka topics of a run. */
export interface KafkaTopics {
  readonly partitionCount: number
  /** By id of the destination. */
  readonly lasting: ReadonlyMap<string, string>
  /** For destinations that come and go. */
  readonly spare: readonly string[]
  /** Everything that carries notifications. */
  readonly all: readonly string[]
  /** For the offsets of checkpoints; nothing is written to it. */
  readonly checkpoint: string
}

/** Destinations that are there before the first write and stay: what they get is known exactly. */
const lasting: Readonly<Record<string, Omit<DestinationState, 'kafkaTopic' | 'status'>>> = {
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

/** Further destinations of everything: `copy-1`, `copy-2`, …. */
const copy = { kind: 'kafka-at-least-once', topic: 'everything', content: 'id-only' } as const

/** @param copies how many further destinations of everything there will be */
export async function createKafkaTopics(
  bootstrapServers: string,
  copies: number,
): Promise<KafkaTopics> {
  const run = uniqueName('chaos')
  const copyIds = Array.from({ length: copies }, (_, index) => `copy-${index + 1}`)
  const ids = [...Object.keys(lasting), ...copyIds]
  const names = new Map(ids.map((id) => [id, `${run}-${id}`]))
  const spare = ['a', 'b', 'c'].map((name) => `${run}-spare-${name}`)
  const all = [...names.values(), ...spare]
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
  for (const [id, kafkaTopic] of names) {
    const state = lasting[id] ?? copy
    await destinations.put(id, { ...state, kafkaTopic, status: 'active' }, random)
  }
}
