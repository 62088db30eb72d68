import type { KafkaRecord } from '../kafka/producer.ts'
import { kafkaRecord, type KafkaRecordOptions } from '../notifications/kafka-record.ts'
import type { Page } from '../outbox/event-cursor.ts'
import type { TopicDestination } from '../resources/topic-destination.ts'

/** The Kafka records of a page, made once however often the page is tried. */
export class PageRecords {
  readonly #options: KafkaRecordOptions
  /** Those that were made last. */
  #made: { page: Page; destination: TopicDestination; records: readonly KafkaRecord[] } | undefined

  constructor(options: KafkaRecordOptions) {
    this.#options = options
  }

  of(page: Page, destination: TopicDestination): readonly KafkaRecord[] {
    if (this.#made?.page === page && this.#made.destination === destination) {
      return this.#made.records
    }
    const records = page.events.map((event, index) => {
      const eventNumber = page.firstEventNumber + index
      return kafkaRecord({ ...event, eventId: event.id, eventNumber }, destination, this.#options)
    })
    this.#made = { page, destination, records }
    return records
  }

  forget(): void {
    this.#made = undefined
  }
}
