import { setTimeout as delay } from 'node:timers/promises'
import type { Pool, PoolClient } from 'pg'
import { poolConfig, type Database } from '../database-pool.ts'
import { backoffMs } from '../backoff.ts'
import { Signal } from '../signal.ts'
import { isFenced } from '../errors.ts'
import { fromPg } from '../host/sql-tx.ts'
import type { UnitOfWork } from '../host/unit-of-work.ts'
import type { Logger } from '../observability/logger.ts'
import { isSettled } from '../outbox/cursor-row.ts'
import { EventCursor, type Page } from '../outbox/event-cursor.ts'
import { OutboxJanitor } from '../outbox/janitor.ts'
import { Leadership } from '../outbox/leadership.ts'
import { NodeSession } from '../outbox/node-session.ts'
import type { OutboxSchema } from '../outbox/schema.ts'
import { relayReference } from './capture-sql.ts'
import { relayPage } from './relay-page.ts'

export interface CaptureRelayParts {
  readonly database: Database
  /** Of its own: what waits for the relay must not hold the connection that the relay needs. */
  readonly pool: Pool
  /** Of the captured changes. */
  readonly schema: OutboxSchema
  /** A new one for each page. */
  readonly unitOfWork: () => UnitOfWork
  readonly maxPageChanges: number
  readonly maxPageBytes: number
  readonly pollIntervalMs: number
  readonly logger: Logger
}

/** After this time without changes the cursor is written down, so that slots of the log can be emptied. */
const restAfterMs = 1000
const catchUpPollMs = 20

/** Moves captured changes to the outbox, on one node of the cluster at a time, in the order of their ids.
 *
 *  The others stand by. A leader that has lost its session and does not know yet is fenced by the cursor's epoch: its
 *  transaction, which begins with the acknowledgement, fails as a whole. */
export class CaptureRelay {
  readonly #parts: CaptureRelayParts
  readonly #presence: NodeSession
  readonly #leadership: Leadership
  readonly #janitor: OutboxJanitor
  readonly #control = new Signal()
  #isStopping = false
  #isLeading = false
  #failures = 0
  #lastPageAtMs = Number.NEGATIVE_INFINITY
  #loop: Promise<void> | undefined

  constructor(parts: CaptureRelayParts) {
    const { database, pool, schema, logger } = parts
    this.#parts = parts
    this.#presence = new NodeSession(poolConfig(database), schema, logger)
    this.#leadership = new Leadership(this.#presence, schema)
    this.#presence.onLost(() => {
      this.#isLeading = false
      this.#control.raise()
    })
    this.#janitor = new OutboxJanitor({ db: fromPg(pool), schema, logger })
  }

  async start(): Promise<void> {
    await this.#presence.start()
    this.#janitor.start()
    this.#loop = this.#run()
  }

  /** Ends after the page under way. */
  async stop(): Promise<void> {
    this.#isStopping = true
    this.#control.raise()
    await this.#loop
    await this.#janitor.stop()
    await this.#presence.stop()
  }

  /** Resolves with true when every change that was committed before this call is moved, with false at the deadline. */
  async caughtUp(timeoutMs: number): Promise<boolean> {
    const { pool, schema } = this.#parts
    const endsAtMs = performance.now() + timeoutMs
    const { rows } = await pool.query<{ snapshot: string }>(
      'select pg_current_snapshot()::text as snapshot',
    )
    for (;;) {
      const left = await pool.query(
        `select from ${schema.destination} d join ${schema.event} e on e.topic_id = d.topic_id and e.id > d.low
          where d.reference = $1 and pg_visible_in_snapshot(e.xid, $2) and not ${isSettled}
          limit 1`,
        [relayReference, rows[0]?.snapshot],
      )
      if (left.rows.length === 0) return true
      if (performance.now() > endsAtMs) return false
      // Not by a signal: the relay may be that of another process.
      await delay(catchUpPollMs)
    }
  }

  /** Never rejects. */
  async #run(): Promise<void> {
    while (!this.#isStopping) {
      try {
        await this.#lead()
        // Jitter, so that the nodes of a cluster do not ask in step.
        await this.#control.wait(this.#parts.pollIntervalMs * (0.8 + Math.random() * 0.4))
      } catch (error) {
        this.#isLeading = false
        this.#failures++
        this.#parts.logger.warn({ err: error }, 'cannot relay captured changes; will retry')
        await this.#control.wait(backoffMs(this.#failures))
      }
    }
  }

  /** Relays for as long as this node leads; returns at once when another one does. */
  async #lead(): Promise<void> {
    const { pool, schema, logger } = this.#parts
    const { rows } = await pool.query<{ id: number }>(
      `select id from ${schema.destination} where reference = $1`,
      [relayReference],
    )
    const { won } = await this.#leadership.tryLead(rows.map(({ id }) => id))
    const [led] = won
    if (!led) return
    this.#isLeading = true
    logger.info({ epoch: led.epoch }, 'relaying captured changes')
    try {
      await this.#relay(led.destinationId, led.epoch)
    } finally {
      this.#isLeading = false
      await this.#leadership.resign(led.destinationId).catch(() => undefined)
    }
  }

  async #relay(destinationId: number, epoch: number): Promise<void> {
    const { pool, schema } = this.#parts
    const client = await pool.connect()
    // A broken connection is told to the statement under way; between two of them to this listener alone.
    const ignore = (): void => undefined
    client.on('error', ignore)
    let isBroken = true
    try {
      const cursor = await EventCursor.load(fromPg(client), schema, destinationId, epoch)
      while (this.#mayGoOn()) await this.#step(client, cursor)
      isBroken = false
    } catch (error) {
      if (!isFenced(error)) throw error
      this.#parts.logger.info({ err: error }, 'another node relays captured changes now')
    } finally {
      client.off('error', ignore)
      client.release(isBroken)
    }
  }

  /** A method, because `stop` and the loss of leadership come while a step waits. */
  #mayGoOn(): boolean {
    return this.#isLeading && !this.#isStopping
  }

  async #step(client: PoolClient, cursor: EventCursor): Promise<void> {
    const { maxPageChanges, maxPageBytes, pollIntervalMs } = this.#parts
    const page = await cursor.nextPage(maxPageChanges, maxPageBytes)
    if (page) {
      await this.#move(client, cursor, page)
      return
    }
    if (performance.now() - this.#lastPageAtMs > restAfterMs) await cursor.rest()
    await this.#control.wait(pollIntervalMs)
  }

  async #move(client: PoolClient, cursor: EventCursor, page: Page): Promise<void> {
    const moved = await relayPage(client, cursor, page, this.#parts.unitOfWork())
    this.#failures = 0
    this.#lastPageAtMs = performance.now()
    if (moved > 0) return
    const { resourceType, resourceId, versionId } = page.events[0] ?? {}
    this.#parts.logger.error(
      { resourceType, resourceId, versionId },
      'a captured change was set aside: its stored content is not JSON',
    )
  }
}
