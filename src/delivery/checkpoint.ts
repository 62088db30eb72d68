import { isKafkaError } from '../kafka/kafka-error.ts'
import type { KafkaError, PageProducer } from '../kafka/producer.ts'
import type { Logger } from '../observability/logger.ts'
import type { EventCursor } from '../outbox/event-cursor.ts'
import type { LaneParts } from './lane-parts.ts'
import type { LaneRecord } from './lane-record.ts'

/** A principal without the right may be given it at any time. */
const retryMs = 10_000

/** What makes a crash between Kafka's commit and PostgreSQL's harmless: each transaction carries, as an offset of a consumer group, the
 *  name of the cursor's state (its token) and how many events behind that state it holds.
 *
 *      Kafka       commit: events 4, 5, 6 and "token 71, 3 events"
 *      PostgreSQL  ............................................ crash before `acknowledge`
 *      next leader                          row: token 71. Kafka: token 71, 3 events. Settles three, sends none
 *
 *  Whatever changes the row writes a new random token. So an equal token means: Kafka has exactly these events and the row does not know.
 *  Any other, or none, means that nothing was committed behind this state, and the events are sent. */
export class Checkpoint {
  readonly #isWanted: boolean
  readonly #destination: string
  readonly #laneRecord: Pick<LaneRecord, 'checkpoints' | 'failure'>
  readonly #logger: Logger
  #isKept: boolean
  #retryAtMs = 0
  /** What the row says; undefined: not written yet. */
  #recorded: boolean | undefined

  constructor(
    { checkpoint, destination, logger }: Pick<LaneParts, 'checkpoint' | 'destination' | 'logger'>,
    record: Pick<LaneRecord, 'checkpoints' | 'failure'>,
  ) {
    this.#isWanted = checkpoint
    this.#isKept = checkpoint
    this.#destination = destination.reference
    this.#laneRecord = record
    this.#logger = logger
  }

  /** When `retry` has something to do again; infinite while everything is as wanted. */
  get retryInMs(): number {
    if (!this.#isWanted || this.#isKept) return Number.POSITIVE_INFINITY
    return Math.max(0, this.#retryAtMs - performance.now())
  }

  /** The checkpoint of a transaction with the next `eventCount` events; undefined while none is kept. */
  of(cursor: EventCursor, eventCount: number): number | undefined {
    return this.#isKept ? cursor.checkpoint(eventCount) : undefined
  }

  /** Settles what Kafka has and the row does not know of. Call it before anything is sent from a cursor that was loaded.
   *  @throws {@link KafkaError} when Kafka does not answer */
  async settle(producer: PageProducer, cursor: EventCursor): Promise<void> {
    if (!this.#isWanted) await this.#record(false, 'The option checkpoint is false.')
    if (!this.#isKept) return
    try {
      await this.#settleFormer(producer, cursor)
      await this.#settleBy(cursor, await producer.readCheckpoint())
      const { checkpointTopic } = producer
      if (checkpointTopic !== undefined && checkpointTopic !== cursor.checkpointTopic) {
        await cursor.recordCheckpoints(true, undefined, checkpointTopic)
        this.#recorded = true
      }
      await this.#record(true, undefined)
    } catch (error) {
      if (!isRefusal(error)) throw error
      await this.giveUp(error)
    }
  }

  /** The destination sends to another Kafka topic than before: its last transaction may have its checkpoint there. */
  async #settleFormer(producer: PageProducer, cursor: EventCursor): Promise<void> {
    const former = cursor.checkpointTopic
    if (former === undefined || former === producer.checkpointTopic) return
    try {
      await this.#settleBy(cursor, await producer.readCheckpoint(former))
    } catch (error) {
      // The right to it may have gone with it.
      if (!isRefusal(error)) throw error
    }
  }

  async #settleBy(cursor: EventCursor, checkpoint: number | undefined): Promise<void> {
    const settled = checkpoint === undefined ? 0 : await cursor.settleCheckpoint(checkpoint)
    if (settled === 0) return
    const destination = this.#destination
    this.#logger.info({ destination, settled }, 'Kafka had these events already')
  }

  /** Goes on without, and says so. */
  async giveUp({ message }: KafkaError): Promise<void> {
    this.#isKept = false
    this.#retryAtMs = performance.now() + retryMs
    if (this.#recorded !== false) {
      this.#logger.warn(
        { destination: this.#destination, cause: message },
        'no checkpoint: a crash can send events twice',
      )
      void this.#laneRecord.failure(0, message)
    }
    await this.#record(false, message)
  }

  /** The right may have been granted meanwhile. Call it between pages; what was sent without a checkpoint is acknowledged then. */
  async retry(producer: PageProducer): Promise<void> {
    if (this.retryInMs > 0) return
    this.#retryAtMs = performance.now() + retryMs
    try {
      await producer.probeCheckpoint()
      this.#isKept = true
      await this.#record(true, undefined)
    } catch (error) {
      // Of anything but a missing right the next page tells.
      if (!isKafkaError(error)) throw error
    }
  }

  async #record(isKept: boolean, reason: string | undefined): Promise<void> {
    if (this.#recorded === isKept) return
    if (await this.#laneRecord.checkpoints(isKept, reason)) this.#recorded = isKept
  }
}

export function isRefusal(error: unknown): error is KafkaError {
  return isKafkaError(error) && error.kind === 'no-checkpoint'
}
