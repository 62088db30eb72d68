import type { Logger } from '../observability/logger.ts'
import { countBacklogs } from './backlog-count.ts'
import {
  cleanOutbox,
  deleteSettledEvents,
  deleteSettledRows,
  foldSilentNodes,
  settledMinutes,
} from './cleanup.ts'
import { forgetDelivered } from './delivered-pages.ts'
import { forgetJobs } from './jobs.ts'
import { forgetAbsentNodes } from './node-presence.ts'
import { pruneRegistryChanges } from './registry-changes.ts'
import type { OutboxSchema, Queryable } from './schema.ts'
import { closeAbandonedMoves, dropDrainedSources, forgetMoves } from './sources.ts'

export interface JanitorParts {
  /** A pool: each statement is a transaction of its own. */
  readonly db: Queryable
  readonly schema: OutboxSchema
  /** For so long it is kept what was delivered.
   *  @default 0 */
  readonly deliveredRetentionMs?: number
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
  /** Slots of which events were deleted since the last sweep. */
  readonly #emptied = new Set<string>()
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
      else await this.#forgetKept()
    } catch (error) {
      logger.warn({ err: error }, 'cannot clean the outbox; will retry')
    }
    this.#timer = undefined
    if (!this.#isStopping) this.start()
  }

  async #sweep(): Promise<void> {
    const { db, schema } = this.#parts
    await forgetDelivered(db, schema, this.#parts.deliveredRetentionMs ?? 0)
    await deleteSettledEvents(db, schema, settledMinutes, this.#emptied)
    this.#emptied.clear()
    await forgetJobs(db, schema)
    await pruneRegistryChanges(db, schema)
    await foldSilentNodes(db, schema)
    await forgetAbsentNodes(db, schema)
    await closeAbandonedMoves(db, schema, abandonedSeconds)
    await dropDrainedSources(db, schema)
  }

  /** Where events are kept for a time, as many go as come: a sweep each minute would fall behind. */
  async #forgetKept(): Promise<void> {
    const { db, schema, deliveredRetentionMs = 0 } = this.#parts
    if (deliveredRetentionMs === 0) return
    await forgetDelivered(db, schema, deliveredRetentionMs)
    for (const slot of await deleteSettledRows(db, schema)) this.#emptied.add(slot)
  }
}
