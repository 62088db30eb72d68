import { isKafkaError } from '../kafka/kafka-error.ts'
import type { PageProducer } from '../kafka/producer.ts'
import type { TopicDestination } from '../resources/topic-destination.ts'
import { logDelivery } from './delivery-log.ts'
import type { LaneParts } from './lane-parts.ts'

/** The producer of one lane: a new one for each connection, at most one at a time. */
export class LaneProducer {
  readonly #parts: LaneParts
  readonly #onCause: (cause: string) => void
  #producer: PageProducer | undefined
  #isRecalled = false
  #isOpen = false
  #usedAtMs = Number.NEGATIVE_INFINITY

  /** `onCause` gets causes that are seen outside a call. */
  constructor(parts: LaneParts, onCause: (cause: string) => void) {
    this.#parts = parts
    this.#onCause = onCause
  }

  get current(): PageProducer | undefined {
    return this.#producer
  }

  /** Connected, as far as is known. */
  get isOpen(): boolean {
    return this.#isOpen
  }

  /** The call under way ends; what it was about is to be begun anew. A method: it changes while others wait. */
  isRecalled(): boolean {
    return this.#isRecalled
  }

  /** For how long an unused connection is to be kept; not positive when it is to be closed. */
  get keptForMs(): number {
    return this.#usedAtMs + this.#parts.idleProducerMs - performance.now()
  }

  /** Connects, which fences whoever led before.
   *  @throws {@link KafkaError} */
  async open(destination: TopicDestination): Promise<PageProducer> {
    const producer = this.#parts.createProducer(destination, this.#onCause)
    this.#producer = producer
    try {
      await producer.start()
    } catch (error) {
      if (isKafkaError(error) && !this.#isRecalled) {
        const { topicUrl } = destination
        logDelivery(this.#parts.logger, destination, { topicUrl, error: error.message })
      }
      throw error
    }
    this.noteUse()
    this.#tellOpen(true)
    return producer
  }

  noteUse(): void {
    this.#usedAtMs = performance.now()
  }

  /** Without this a call that waits for a dead cluster would go on for minutes. It still has `timeoutMs`. */
  recall(timeoutMs: number): void {
    this.#isRecalled = true
    void this.#producer?.close(timeoutMs)
  }

  /** What was recalled has ended. */
  forgetRecall(): void {
    this.#isRecalled = false
  }

  async close(): Promise<void> {
    const producer = this.#producer
    this.#producer = undefined
    this.#tellOpen(false)
    await producer?.close(0)
  }

  #tellOpen(isOpen: boolean): void {
    if (this.#isOpen === isOpen) return
    this.#isOpen = isOpen
    this.#parts.telemetry?.connected(this.#parts.destination.reference, isOpen)
  }
}
