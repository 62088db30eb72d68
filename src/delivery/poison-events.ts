import { KafkaFailure } from '../kafka/kafka-error.ts'
import type { KafkaError } from '../kafka/producer.ts'
import type { Logger } from '../observability/logger.ts'
import type { Telemetry } from '../observability/telemetry.ts'
import type { EventCursor, OutboxEvent, Page } from '../outbox/event-cursor.ts'
import type { LaneParts } from './lane-parts.ts'
import { PageLimit } from './page-limit.ts'

/** Events of one destination that Kafka can never take, and the search for them.
 *
 *  Where Kafka names the record it is set aside at its turn. Where it does not, pages shrink until the record is alone. */
export class PoisonEvents {
  readonly #reference: string
  readonly #logger: Logger
  readonly #telemetry: Telemetry | undefined
  readonly #isAwaited: boolean
  readonly #limit: PageLimit
  /** Causes by event id. */
  readonly #named = new Map<string, string>()

  constructor({ destination, maxPageEvents, undeliverable, logger, telemetry }: LaneParts) {
    this.#reference = destination.reference
    this.#limit = new PageLimit(maxPageEvents)
    this.#isAwaited = undeliverable === 'wait'
    this.#logger = logger
    this.#telemetry = telemetry
  }

  /** A larger maxRequestSize may let them through. */
  forget(): void {
    this.#named.clear()
  }

  get areNamed(): boolean {
    return this.#named.size > 0
  }

  /** The events of the page that can be sent together; none when the first is to be set aside. */
  sendable({ events }: Page): readonly OutboxEvent[] {
    const first = events.findIndex(({ id }) => this.#named.has(id))
    return events.slice(0, Math.min(first < 0 ? events.length : first, this.#limit.current))
  }

  /** The first event of the page keeps its number, its neighbours go on.
   *  @throws {@link KafkaError} `retriable` where everything waits for it; it is tried anew then */
  async setAside(cursor: EventCursor, page: Page): Promise<void> {
    const [event] = page.events
    if (!event) return
    const cause = this.#named.get(event.id) ?? 'Kafka refuses this record.'
    if (this.#isAwaited) {
      this.forget()
      throw new KafkaFailure('retriable', `${cause} The events behind it wait.`)
    }
    await cursor.deadLetter(page, 0, cause)
    this.#named.delete(event.id)
    this.#logger.error(
      { destination: this.#reference, eventNumber: page.firstEventNumber, cause },
      'an event was set aside as dead letter',
    )
    this.#telemetry?.setAside(this.#reference, page.firstEventNumber, event.id, cause)
  }

  /** Takes the error of a transaction with these events. */
  learn(error: KafkaError, events: readonly OutboxEvent[]): void {
    const indexes = events.length === 1 ? [0] : error.poisonIndexes
    for (const index of indexes) {
      const event = events[index]
      if (event) this.#named.set(event.id, error.message)
    }
    if (indexes.length === 0) this.#limit.narrow(events.length)
  }

  /** A transaction was committed. */
  widen(): void {
    this.#limit.widen()
  }
}
