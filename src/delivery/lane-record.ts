import { isFenced, isTopicDestinationError } from '../errors.ts'
import { isKafkaError } from '../kafka/kafka-error.ts'
import type { EventCursor } from '../outbox/event-cursor.ts'
import type { LaneParts } from './lane-parts.ts'

type Parts = Pick<LaneParts, 'destination' | 'logger' | 'telemetry'>

/** What a lane says of how delivery goes: in the log, to telemetry, and in its row for $status. What could not be written must not stop
 *  delivery. */
export class LaneRecord {
  readonly #parts: Parts
  readonly #cursor: () => Promise<EventCursor>
  readonly #onFenced: (error: unknown) => void
  #hasFailed = false

  /** @param cursor the one to write with
   *  @param onFenced this node no longer leads */
  constructor(
    parts: Parts,
    cursor: () => Promise<EventCursor>,
    onFenced: (error: unknown) => void,
  ) {
    this.#parts = parts
    this.#cursor = cursor
    this.#onFenced = onFenced
  }

  /** @param failures since the last success */
  attemptFailed(error: unknown, failures: number): void {
    const { logger, telemetry, destination } = this.#parts
    const { reference } = destination
    const cause = isTopicDestinationError(error) ? error.message : undefined
    telemetry?.failed(reference, failures, cause)
    if (isKafkaError(error)) {
      this.#hasFailed = true
      logger.warn(
        { destination: reference, cause, failures },
        'Kafka does not take the events of a destination; will retry',
      )
    } else {
      logger.warn(
        { err: error, destination: reference },
        'a page could not be read, made or acknowledged; will retry',
      )
    }
  }

  /** Kafka has a page. */
  delivered(): void {
    if (!this.#hasFailed) return
    this.#hasFailed = false
    const { logger, destination } = this.#parts
    logger.info(
      { destination: destination.reference },
      'Kafka takes the events of a destination again',
    )
  }

  async failure(failedCount: number, cause: string): Promise<void> {
    await this.write((cursor) => cursor.recordFailure(failedCount, cause))
  }

  /** The call under way may go on for a minute; $status tells at once why. */
  connectionCause(cause: string): void {
    const { destination, logger } = this.#parts
    logger.warn({ destination: destination.reference, cause }, 'Kafka connection')
    void this.failure(0, cause)
  }

  /** Answers whether it could be written. Never rejects. */
  async write(work: (cursor: EventCursor) => Promise<void>): Promise<boolean> {
    try {
      await work(await this.#cursor())
      return true
    } catch (error) {
      if (isFenced(error)) this.#onFenced(error)
      else {
        const { destination, logger } = this.#parts
        logger.warn(
          { err: error, destination: destination.reference },
          'cannot write down how delivery goes',
        )
      }
      return false
    }
  }
}
