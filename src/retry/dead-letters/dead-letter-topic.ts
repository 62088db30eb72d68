import { TopologyError } from '../../topology/finding.ts'
import type { ResolvedTopology } from '../../topology/resolved-topology.ts'
import { stateOfMoved, type RetryState } from '../retry-headers.ts'
import { isHeaderText, type SourceRecord } from '../record.ts'

/** A dead-letter topic and the topic whose records end there. */
export interface DeadLetterTopic {
  readonly topic: string
  readonly deadLetterTopic: string
}

/** @param name of either of the two
 *  @throws {@link TopologyError} when the file has no such dead-letter topic */
export function deadLetterTopicOf({ topics }: ResolvedTopology, name: string): DeadLetterTopic {
  const found = topics.find(
    (topic) => topic.kind === 'deadLetter' && (topic.name === name || topic.source === name),
  )
  if (found?.source !== undefined) return { topic: found.source, deadLetterTopic: found.name }
  throw new TopologyError(
    `"${name}" has no dead-letter topic in the file; give it a retry policy with then: deadLetter.`,
  )
}

/** A record that was given up. */
export interface DeadLetter {
  readonly partition: number
  readonly offset: number
  readonly state: RetryState
  /** May be about a person, as value and headers of the producer in `state` may. */
  readonly key: Buffer | null
  readonly value: Buffer | null
  /** As they stand on the topic. */
  readonly headers: SourceRecord['headers']
}

export function deadLetter(record: SourceRecord): DeadLetter {
  const { partition, offset, key, value, headers } = record
  return { partition, offset, state: stateOfMoved(record), key, value, headers }
}

/** Why a dead letter cannot be sent again; undefined when it can. */
export function obstacleOf({ state }: DeadLetter, { topic }: DeadLetterTopic): string | undefined {
  const { original, headers } = state
  if (original.topic !== topic) return `it is not from ${topic}`
  if (headers.every(([, value]) => isHeaderText(value))) return undefined
  return 'it has a header that is not text, which node-rdkafka cannot write'
}

/** Header of a record that stands for no dead letter: those of its partition with a smaller offset have been sent again, or stand behind it
 *  once more. Written in the same transaction. The offset of a group would say the same, but Kafka forgets it after a week without members. */
const redrivenHeader = 'x-redriven-before'

export function redrivenMark(offset: number): readonly [name: string, value: string] {
  return [redrivenHeader, String(offset)]
}

/** The offset before which nothing counts any more; undefined for a dead letter. */
export function redrivenBefore({ headers }: SourceRecord): number | undefined {
  const mark = headers.find(([name]) => name === redrivenHeader)
  return mark && Number(mark[1].toString())
}
