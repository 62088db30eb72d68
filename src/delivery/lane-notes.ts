import { isFenced } from '../errors.ts'
import type { Logger } from '../observability/logger.ts'
import type { EventCursor } from '../outbox/event-cursor.ts'
import type { LaneParts } from './lane-parts.ts'

/** What a lane says of itself, in its row for $status and in the log. What cannot be written must not stop delivery. */
export class LaneNotes {
  readonly #destination: string
  readonly #logger: Logger
  readonly #cursor: () => Promise<EventCursor>
  readonly #onFenced: (error: unknown) => void

  /** @param onFenced another node leads, or the destination is gone */
  constructor(
    { destination, logger }: Pick<LaneParts, 'destination' | 'logger'>,
    cursor: () => Promise<EventCursor>,
    onFenced: (error: unknown) => void,
  ) {
    this.#destination = destination.reference
    this.#logger = logger
    this.#cursor = cursor
    this.#onFenced = onFenced
  }

  /** The call under way may go on for a minute; $status tells at once why. */
  cause(cause: string): void {
    this.#logger.warn({ destination: this.#destination, cause }, 'Kafka connection')
    void this.failure(0, cause)
  }

  async failure(failedCount: number, cause: string): Promise<void> {
    await this.#write((cursor) => cursor.recordFailure(failedCount, cause))
  }

  /** Answers whether it could be written. */
  async checkpoints(areKept: boolean, reason: string | undefined): Promise<boolean> {
    return this.#write((cursor) => cursor.recordCheckpoints(areKept, reason))
  }

  willRetry(error: unknown): void {
    this.#logger.warn(
      { err: error, destination: this.#destination },
      'a page could not be read, made or acknowledged; will retry',
    )
  }

  ends(error: unknown): void {
    this.#logger.info(
      { err: error, destination: this.#destination },
      'another node leads this destination now, or it is gone',
    )
  }

  async #write(work: (cursor: EventCursor) => Promise<void>): Promise<boolean> {
    try {
      await work(await this.#cursor())
      return true
    } catch (error) {
      if (isFenced(error)) this.#onFenced(error)
      else {
        this.#logger.warn(
          { err: error, destination: this.#destination },
          'cannot write down how delivery goes',
        )
      }
      return false
    }
  }
}
