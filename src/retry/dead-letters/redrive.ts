import { setTimeout as delay } from 'node:timers/promises'
import { backoffMs } from '../../backoff.ts'
import { isKafkaError } from '../../kafka/kafka-error.ts'
import type { ResolvedTopology } from '../../topology/resolved-topology.ts'
import { writableHeader } from '../retry-headers.ts'
import { bytesIn, maxStepBytes, type OutgoingRecord, type SourceRecord } from '../record.ts'
import { stepProducerConfig } from '../retry-settings.ts'
import { StepProducer } from '../step-producer.ts'
import {
  deadLetter,
  deadLetterTopicOf,
  redrivenBefore,
  redrivenMark,
  type DeadLetter,
  type DeadLetterTopic,
} from './dead-letter-topic.ts'
import type { ReadOptions } from './dead-letters.ts'
import { chosenLetters, isOfClass, scanDeadLetters, type ScannedLetter } from './scan.ts'
import { TopicReader } from './topic-reader.ts'

/** What came of sending dead letters again. */
export interface Redrive {
  readonly sent: number
  /** That are still there: others than those asked for, and those that cannot be sent. */
  readonly left: number
  /** How many cannot be sent again, by the reason. */
  readonly obstacles: Readonly<Record<string, number>>
}

const transactionTimeoutMs = 60_000
const maxAttempts = 5
const maxStepRecords = 500

/** Sends dead letters to the topic they come from: with key, value and headers of their producer, to their partition, with `x-redrive-count`
 *  and the group they are for. Their attempts begin anew.
 *
 *  Each is sent once, also when this is killed and called again: a Kafka transaction holds what is sent, and the mark on the dead-letter topic
 *  that says so. Dead letters that stand between those asked for are written behind the mark. Who is called at the same time ends the other.
 *  @param topic that, or its dead-letter topic
 *  @throws {@link TopologyError} or {@link KafkaFailure} */
export async function redriveDeadLetters(
  topology: ResolvedTopology,
  topic: string,
  { connection, limit = Infinity, errorClass, onProgress }: ReadOptions,
): Promise<Redrive> {
  const place = deadLetterTopicOf(topology, topic)
  const transactionalId = `${place.deadLetterTopic}.redrive`
  const config = stepProducerConfig(connection, transactionalId, transactionTimeoutMs)
  const producer = new StepProducer(config, () => undefined)
  const reader = new TopicReader(place.deadLetterTopic, connection)
  try {
    // First: it ends what another one has begun, so that the marks say what was sent.
    await producer.start(new AbortController().signal)
    await reader.connect()
    const scanned = await scanDeadLetters(reader, place)
    const wanted = isOfClass(errorClass)
    const parts = chosenLetters(
      scanned,
      (letter) => wanted(letter) && letter.obstacle === undefined,
      limit,
    )
    const toSend = parts.reduce((sum, { offsets }) => sum + offsets.size, 0)
    const partitions = (await producer.partitionsOf(place.topic)) ?? 0
    let sent = 0
    for (const { stretch, offsets } of parts) {
      const step = new RedriveStep(place, stretch.partition, partitions, offsets)
      const commit = async (): Promise<void> => {
        const { records, count } = step.take()
        await commitStep(producer, records)
        sent += count
        onProgress?.(sent, toSend)
      }
      await reader.read([stretch], async (records) => {
        for (const record of records) {
          if (step.isFullWith(record)) await commit()
          step.add(record)
        }
      })
      await commit()
    }
    const letters = scanned.flatMap((stretch) => stretch.letters)
    return { sent, left: letters.length - sent, obstacles: obstaclesOf(letters.filter(wanted)) }
  } finally {
    await reader[Symbol.asyncDispose]()
    await producer.close()
  }
}

function obstaclesOf(letters: readonly ScannedLetter[]): Record<string, number> {
  const counts: Record<string, number> = {}
  for (const { obstacle } of letters) {
    if (obstacle !== undefined) counts[obstacle] = (counts[obstacle] ?? 0) + 1
  }
  return counts
}

/** What is done in one transaction with dead letters of a partition that follow on each other. */
class RedriveStep {
  readonly #place: DeadLetterTopic
  readonly #partition: number
  readonly #partitions: number
  readonly #chosen: ReadonlySet<number>
  #records: OutgoingRecord[] = []
  #bytes = 0
  #nextOffset = 0
  #count = 0

  constructor(
    place: DeadLetterTopic,
    partition: number,
    partitions: number,
    chosen: ReadonlySet<number>,
  ) {
    this.#place = place
    this.#partition = partition
    this.#partitions = partitions
    this.#chosen = chosen
  }

  isFullWith(record: SourceRecord): boolean {
    const { length } = this.#records
    return length >= maxStepRecords || (length > 0 && this.#bytes + bytesIn(record) > maxStepBytes)
  }

  add(record: SourceRecord): void {
    this.#nextOffset = record.offset + 1
    if (redrivenBefore(record) !== undefined) return
    const isChosen = this.#chosen.has(record.offset)
    if (isChosen) this.#count++
    this.#records.push(isChosen ? this.#again(deadLetter(record)) : this.#kept(record))
    this.#bytes += bytesIn(record)
  }

  /** All that was added since it was taken before, and the mark.
   *  @returns also how many of the records are dead letters that are sent again */
  take(): { readonly records: readonly OutgoingRecord[]; readonly count: number } {
    const [records, count] = [this.#records, this.#count]
    this.#records = []
    this.#bytes = 0
    this.#count = 0
    if (records.length === 0) return { records, count }
    const { deadLetterTopic: topic } = this.#place
    const headers = [redrivenMark(this.#nextOffset)]
    records.push({ topic, partition: this.#partition, value: null, headers })
    return { records, count }
  }

  #again({ key, value, state }: DeadLetter): OutgoingRecord {
    const { original, group, redriveCount, headers } = state
    const isThere = original.partition < this.#partitions
    return {
      topic: this.#place.topic,
      ...(isThere ? { partition: original.partition } : {}),
      key,
      value,
      headers: [
        ...headers,
        ['x-redrive-count', String(redriveCount + 1)],
        ...(group === undefined ? [] : ([['x-consumer-group', group]] as const)),
      ],
    }
  }

  /** It keeps its time, and so the end of its retention. */
  #kept({ topic, partition, key, value, headers, timestampMs }: SourceRecord): OutgoingRecord {
    return { topic, partition, key, value, headers: headers.map(writableHeader), timestampMs }
  }
}

/** What Kafka has refused is tried again a few times; of an unknown outcome the next call knows more. */
async function commitStep(
  producer: StepProducer,
  records: readonly OutgoingRecord[],
): Promise<void> {
  if (records.length === 0) return
  for (let attempt = 1; ; attempt++) {
    try {
      await producer.commit({ records })
      return
    } catch (error) {
      const isRefused = isKafkaError(error) && error.kind === 'retriable'
      if (!isRefused || producer.isDead || attempt === maxAttempts) throw error
      await delay(backoffMs(attempt))
    }
  }
}
