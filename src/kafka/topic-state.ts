import type { Metadata } from 'node-rdkafka'
import { causeNamed, type KafkaCause } from './kafka-causes.ts'

/** None for a topic that is not there, or that the principal may not see. */
export function partitionsOf(
  { topics }: Pick<Metadata, 'topics'>,
  kafkaTopic: string,
): Metadata['topics'][number]['partitions'] {
  return topics.find(({ name }) => name === kafkaTopic)?.partitions ?? []
}

/** Why records for a topic are not acknowledged, as far as the cluster's metadata tells. A topic without partitions is not there: one that
 *  the principal may not see fails each record at once, and nobody has to ask. */
export function causeOfTopicState(
  kafkaTopic: string,
  metadata: Pick<Metadata, 'topics'>,
): KafkaCause {
  const partitions = partitionsOf(metadata, kafkaTopic)
  if (partitions.length === 0) return causeNamed('topic-unknown', { kafkaTopic })
  if (partitions.some(({ leader }) => leader < 0)) {
    return causeNamed('leader-unavailable', { kafkaTopic })
  }
  const [fewest] = partitions.toSorted((a, b) => a.isrs.length - b.isrs.length)
  const detail = `${fewest?.isrs.length ?? 0} of ${fewest?.replicas.length ?? 0} replicas in sync`
  return causeNamed('records-not-acknowledged', { kafkaTopic, detail })
}
