import type { Logger } from '../observability/logger.ts'
import { countBacklogs } from './backlog-count.ts'
import { cleanOutbox, deleteSettledEvents, foldSilentNodes } from './cleanup.ts'
import { forgetAbsentNodes } from './node-presence.ts'
import { pruneRegistryChanges } from './registry-changes.ts'
import type { OutboxSchema, Queryable } from './schema.ts'
import { closeAbandonedMoves, dropDrainedSources, forgetMoves } from './sources.ts'

export interface JanitorParts {
  /** A pool: each statement is a transaction of its own. */
  readonly db: Queryable
  readonly schema: OutboxSchema
  readonly logger: Logger
}

const intervalMs = 1000
const roundsPerSweep = 60
/** Longer than any lease. */
const abandonedSeconds = 120

/** Keeps the outbox small: empties slots and counts backlogs each second, sweeps the rest each minute. Every node runs one;
 *  advisory locks keep them out of each other's way. */
export class OutboxJanitor {
  readonly #parts: JanitorParts
  #timer: NodeJS.Timeout | undefined
  #round: Promise<void> = Promise.resolve()
  #rounds = 0
  #countedDestinationId = 0
  #isStopping = false

  constructor(parts: JanitorParts) {
    this.#parts = parts
  }

  start(): void {
    this.#timer ??= setTimeout(() => {
      this.#round = this.#clean()
    }, intervalMs)
    this.#timer.unref()
  }

  /** Resolves when the statement under way has ended. */
  async stop(): Promise<void> {
    this.#isStopping = true
    clearTimeout(this.#timer)
    await this.#round
  }

  async #clean(): Promise<void> {
    const { db, schema, logger } = this.#parts
    try {
      const afterDestinationId = this.#countedDestinationId
      this.#countedDestinationId = await countBacklogs(db, schema, { afterDestinationId })
      await cleanOutbox(db, schema)
      await forgetMoves(db, schema)
      if (++this.#rounds % roundsPerSweep === 0) await this.#sweep()
    } catch (error) {
      logger.warn({ err: error }, 'cannot clean the outbox; will retry')
    }
    this.#timer = undefined
    if (!this.#isStopping) this.start()
  }

  async #sweep(): Promise<void> {
    const { db, schema } = this.#parts
    await deleteSettledEvents(db, schema)
    await pruneRegistryChanges(db, schema)
    await foldSilentNodes(db, schema)
    await forgetAbsentNodes(db, schema)
    await closeAbandonedMoves(db, schema, abandonedSeconds)
    await dropDrainedSources(db, schema)
  }
}
