import type { KafkaError } from '../kafka/producer.ts'
import type { OutboxEvent, Page } from '../outbox/event-cursor.ts'
import type { TopicDestination } from '../resources/topic-destination.ts'
import { logPage } from './delivery-log.ts'
import type { LaneParts } from './lane-parts.ts'
import type { LaneRecord } from './lane-record.ts'

/** One attempt to send a page. */
export interface PageAttempt {
  /** Kafka has it. */
  sent(): void
  failed(error: KafkaError): void
}

/** Tells of the attempts of one lane: the delivery log of each, telemetry and the log of what became of a page. */
export class PageAttempts {
  readonly #parts: Pick<LaneParts, 'destinationId' | 'logger' | 'telemetry'>
  readonly #record: Pick<LaneRecord, 'delivered'>
  /** The page that is tried: named by its first event, because it is read again after a failure. */
  #firstEventId: string | undefined
  #firstStartMs = 0
  #attempts = 0
  #failure: string | undefined

  constructor(
    parts: Pick<LaneParts, 'destinationId' | 'logger' | 'telemetry'>,
    record: Pick<LaneRecord, 'delivered'>,
  ) {
    this.#parts = parts
    this.#record = record
  }

  /** @param events those of the page that are sent */
  begin(destination: TopicDestination, page: Page, events: readonly OutboxEvent[]): PageAttempt {
    const startMs = Date.now()
    const firstEventId = events[0]?.id
    if (firstEventId !== this.#firstEventId) {
      this.#firstEventId = firstEventId
      this.#firstStartMs = startMs
      this.#attempts = 0
      this.#failure = undefined
    }
    this.#attempts++
    const { destinationId, logger, telemetry } = this.#parts
    return {
      sent: () => {
        logPage(logger, destination, page, events.length)
        this.#record.delivered()
        telemetry?.pageSent({
          destination: destination.reference,
          destinationId,
          kafkaTopic: destination.kafkaTopic,
          firstEventNumber: page.firstEventNumber,
          events,
          attempts: this.#attempts,
          failure: this.#failure,
          firstStartMs: this.#firstStartMs,
          startMs,
        })
      },
      failed: (error) => {
        this.#failure = error.message
        logPage(logger, destination, page, events.length, error)
      },
    }
  }
}
