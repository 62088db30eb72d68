import type { SqlTx } from '../host/types.ts'
import type { Logger } from '../observability/logger.ts'
import type { OutboxSchema } from '../outbox/schema.ts'
import { topicsWithEvents, type RestingPlace } from '../outbox/topics-with-events.ts'
import { Signal } from './signal.ts'

/** Who waits for events. */
export interface Waiting {
  /** Undefined while it looks itself. */
  readonly restingPlace: RestingPlace | undefined
  wake(): void
}

export interface QueueWatchParts {
  readonly db: SqlTx
  readonly schema: OutboxSchema
  readonly pollIntervalMs: number
  readonly logger: Logger
}

/** Looks for events that other nodes have written, for all lanes at rest with one statement: each on its own would be thousands of statements
 *  a second where there are thousands of destinations. */
export class QueueWatch {
  readonly #parts: QueueWatchParts
  readonly #lanes: () => readonly Waiting[]
  readonly #control = new Signal()
  #isStopping = false
  #loop: Promise<void> | undefined

  constructor(parts: QueueWatchParts, lanes: () => readonly Waiting[]) {
    this.#parts = parts
    this.#lanes = lanes
  }

  start(): void {
    this.#loop = this.#watch()
  }

  async stop(): Promise<void> {
    this.#isStopping = true
    this.#control.raise()
    await this.#loop
  }

  async #watch(): Promise<void> {
    while (!this.#isStopping) {
      try {
        await this.#look()
      } catch (error) {
        this.#parts.logger.warn({ err: error }, 'cannot look for new events; will retry')
      }
      // Jitter, so that the nodes of a cluster do not ask in step.
      await this.#control.wait(this.#parts.pollIntervalMs * (0.8 + Math.random() * 0.4))
    }
  }

  async #look(): Promise<void> {
    const { db, schema } = this.#parts
    const places = this.#lanes().flatMap(({ restingPlace }) => restingPlace ?? [])
    const topicIds = await topicsWithEvents(db, schema, places)
    for (const lane of this.#lanes()) {
      if (lane.restingPlace?.topicIds.some((id) => topicIds.has(id)) === true) lane.wake()
    }
  }
}
