import { setTimeout as delay } from 'node:timers/promises'
import { backoffMs } from '../backoff.ts'
import { isKafkaError } from '../kafka/kafka-error.ts'
import { Turns } from '../turns.ts'
import type { GroupConsumer } from './group-consumer.ts'
import type { Outcome } from './partition-work.ts'
import type { OutgoingRecord, RecordPlace } from './record.ts'
import type { StepProducer } from './step-producer.ts'

export interface SettlerParts {
  readonly newProducer: () => SettlingProducer
  readonly onTrouble: (message: string) => void
  /** Called with every new producer that has started. */
  readonly onProducer: (producer: SettlingProducer) => Promise<void>
  readonly random: () => number
}

/** What writes the steps. */
export type SettlingProducer = Pick<
  StepProducer,
  'isDead' | 'start' | 'commit' | 'partitionsOf' | 'giveUp' | 'close'
>

/** The member of the group that has a partition. */
export type PartitionOwner = Pick<GroupConsumer, 'handle' | 'committed'>

interface OffsetStep {
  readonly consumer: PartitionOwner
  readonly records: readonly OutgoingRecord[]
  readonly place: RecordPlace
}

/** Commits what came of records, in one Kafka transaction for each step of a partition, one after the other. */
export class Settler {
  readonly #parts: SettlerParts
  readonly #turns = new Turns()
  readonly #closed = new AbortController()
  #producer: SettlingProducer | undefined

  constructor(parts: SettlerParts) {
    this.#parts = parts
  }

  /** @throws {@link KafkaFailure} or {@link TopologyError} */
  async start(): Promise<void> {
    await this.#turns.take(() => this.#ready())
  }

  /** Resolves when all outcomes are settled, or when it was called off. Kafka refuses records together, so a step that was refused
   *  is tried again with its first outcome alone: only that one holds up those behind it.
   *  @param consumer that has the partition
   *  @param onSettled gets how many of them were settled, in their order */
  async settle(
    consumer: PartitionOwner,
    partition: Omit<RecordPlace, 'offset'>,
    outcomes: readonly Outcome[],
    calledOff: AbortSignal,
    onSettled: (count: number) => void,
  ): Promise<void> {
    let size = outcomes.length
    for (let first = 0; first < outcomes.length;) {
      const some = outcomes.slice(first, first + size)
      const step: OffsetStep = {
        consumer,
        records: some.flatMap(({ records }) => records),
        place: { ...partition, offset: (some.at(-1)?.offset ?? 0) + 1 },
      }
      const isSettled = await this.#settleStep(step, calledOff, some.length > 1)
      // Also of what was called off meanwhile: it is committed, and nobody else tells it.
      if (isSettled) onSettled(some.length)
      if (calledOff.aborted) return
      if (isSettled) {
        first += some.length
        size *= 2
      } else size = 1
    }
  }

  /** Nothing more is begun; the step under way ends soon. */
  giveUp(): void {
    this.#closed.abort(new Error('The consumer was stopped.'))
    this.#producer?.giveUp()
  }

  /** After {@link Settler.giveUp}. Never rejects. */
  async close(): Promise<void> {
    await this.#turns.take(async () => {
      await this.#producer?.close()
    })
  }

  /** @returns false when it was refused and could be made smaller, or was called off */
  async #settleStep(
    step: OffsetStep,
    calledOff: AbortSignal,
    isDivisible: boolean,
  ): Promise<boolean> {
    let isInDoubt = false
    for (let attempt = 1; !calledOff.aborted; attempt++) {
      try {
        return await this.#turns.take(async () => {
          if (calledOff.aborted) return false
          const producer = await this.#ready()
          // An answer that is missing can be read: the offset of the group is part of the transaction.
          if (isInDoubt && (await isCommitted(step))) return true
          isInDoubt = true
          const { records, place, consumer } = step
          await producer.commit({ records, offset: { place, consumer: consumer.handle } })
          return true
        })
      } catch (error) {
        const isRefused = isKafkaError(error) && error.kind === 'retriable'
        if (isRefused) isInDoubt = false
        this.#parts.onTrouble(error instanceof Error ? error.message : String(error))
        if (isRefused && isDivisible) return false
        await this.#pause(attempt, calledOff)
      }
    }
    return false
  }

  async #ready(): Promise<SettlingProducer> {
    this.#closed.signal.throwIfAborted()
    if (this.#producer && !this.#producer.isDead) return this.#producer
    await this.#producer?.close()
    const producer = this.#parts.newProducer()
    this.#producer = producer
    try {
      await producer.start(this.#closed.signal)
      await this.#parts.onProducer(producer)
    } catch (error) {
      await producer.close()
      throw error
    }
    return producer
  }

  async #pause(attempt: number, calledOff: AbortSignal): Promise<void> {
    await delay(backoffMs(attempt, this.#parts.random), undefined, { signal: calledOff }).catch(
      () => undefined,
    )
  }
}

async function isCommitted({ consumer, place }: OffsetStep): Promise<boolean> {
  return ((await consumer.committed(place)) ?? 0) >= place.offset
}
