import type { FhirHost, SqlTx } from '../host/types.ts'
import type { Logger } from '../observability/logger.ts'
import type { OutboxSchema } from '../outbox/schema.ts'
import { addUpNotKept } from '../outbox/undecided-counts.ts'
import {
  keepUndecided,
  listUndecided,
  lockUndecided,
  lookForUndecided,
  moveUndecidedToLog,
  newestUndecidedId,
  maxBatchEvents,
  findDueQueues,
  readDueIds,
  readUndecided,
  readUndecidedIds,
  removeUndecided,
  tryLockUndecided,
  type StoredUndecided,
  type UndecidedEvent,
  type UndecidedSelection,
} from '../outbox/undecided-events.ts'
import { boundedRead } from '../host/bounded-read.ts'
import { PollLoop } from './poll-loop.ts'
import type { Registry } from './registry.ts'
import { matchedQueues, UndecidedDecisions } from './undecided-decisions.ts'
import type { UndecidedParking } from './undecided-parking.ts'

export interface UndecidedQueueParts {
  readonly db: SqlTx
  /** A transaction of the module's own pool. */
  readonly inTransaction: <Result>(work: (tx: SqlTx) => Promise<Result>) => Promise<Result>
  readonly schema: OutboxSchema
  readonly host: Pick<FhirHost, 'read'>
  readonly registry: Registry
  readonly parking: Pick<UndecidedParking, 'lookForRoom'>
  /** These queues of the log have new events. */
  readonly wakeLanes: (topicIds: ReadonlySet<number>) => void
  readonly logger: Logger
}

/** What became of events that were decided again. */
export interface DecidedCounts {
  /** On their way to Kafka. */
  readonly fired: number
  /** Removed. */
  readonly notFired: number
  /** Kept, with the error of now. */
  readonly undecided: number
}

export interface UndecidedPage {
  /** Default: all. */
  readonly selection?: UndecidedSelection
  /** Id of the last event of the page before.
   *  @default the first page */
  readonly afterId?: string
  /** @default 100 */
  readonly limit?: number
}

/** What an operator can do with events of at-least-once destinations whose criteria could not be decided. Each function works in
 *  transactions of up to some hundred events, and ends with the newest event that was there when it was called. Any node will do, also several
 *  at once: an event is moved or removed once. */
export interface UndecidedEvents {
  /** A page of them, oldest first, without resource content. */
  list(page?: UndecidedPage): Promise<readonly UndecidedEvent[]>
  /** Decides them by what their topic selects now; those of a topic that is not active stay as they are. */
  decide(selection: UndecidedSelection): Promise<DecidedCounts>
  /** Sends them although nobody could decide: to every destination that reads their queue. Those whose queue nobody reads stay. */
  release(selection: UndecidedSelection): Promise<{ readonly released: number }>
  /** Forgets them; `$status` counts them as `messagesDiscarded`. */
  discard(selection: UndecidedSelection): Promise<{ readonly discarded: number }>
}

const intervalMs = 1000
const batchEvents = 500

/** The transaction of a batch is open meanwhile. */
const readTimeoutMs = 10_000

interface Batches {
  readonly find: (afterId: string) => Promise<readonly string[]>
  /** Takes the lock and reads events; undefined: another node has it. */
  readonly read: (
    tx: SqlTx,
    ids: readonly string[],
  ) => Promise<readonly StoredUndecided[] | undefined>
}

interface BatchResult extends DecidedCounts {
  /** Undefined: there is no more. */
  readonly lastId: string | undefined
}

const nothingDecided: BatchResult = { fired: 0, notFired: 0, undecided: 0, lastId: undefined }

/** Decides undecided events again: when their topic has changed, and from time to time those that a failed read left undecided.
 *
 *  Every node looks each second. One at a time works, under an advisory lock that ends with its transaction, and each transaction moves or removes what
 *  it has decided: a node that dies in the middle leaves everything as it was. */
export class UndecidedQueue implements UndecidedEvents {
  readonly #parts: UndecidedQueueParts
  readonly #decisions: UndecidedDecisions
  readonly #loop: PollLoop
  readonly #stopping = new AbortController()

  constructor(parts: UndecidedQueueParts) {
    this.#parts = parts
    const read: FhirHost['read'] = (references) => parts.host.read(references)
    const { signal } = this.#stopping
    this.#decisions = new UndecidedDecisions(
      boundedRead(read, { timeoutMs: readTimeoutMs, signal }),
    )
    this.#loop = new PollLoop({
      intervalMs,
      work: () => this.#look(),
      onError: (error) => {
        parts.logger.warn({ err: error }, 'cannot decide undecided events; will retry')
      },
    })
  }

  start(): void {
    this.#loop.start()
  }

  /** Resolves when the batch under way has ended; the host is not waited for. */
  async stop(): Promise<void> {
    this.#stopping.abort()
    await this.#loop.stop()
  }

  async list({ selection = 'all', afterId = '0', limit = 100 }: UndecidedPage = {}): Promise<
    readonly UndecidedEvent[]
  > {
    return listUndecided(this.#parts.db, this.#parts.schema, selection, afterId, limit)
  }

  async decide(selection: UndecidedSelection): Promise<DecidedCounts> {
    const { db, schema } = this.#parts
    const through = await newestUndecidedId(db, schema)
    return this.#decideAll({
      find: (after) =>
        readUndecidedIds(db, schema, selection, { after, through, limit: maxBatchEvents }),
      read: async (tx, ids) => {
        await lockUndecided(tx, schema)
        return readUndecided(tx, schema, ids)
      },
    })
  }

  async release(selection: UndecidedSelection): Promise<{ released: number }> {
    const { schema } = this.#parts
    const released = await this.#inBatches(selection, async (tx, ids) => {
      const moved = await moveUndecidedToLog(tx, schema, ids)
      return { count: moved.ids.size, topicIds: moved.topicIds }
    })
    return { released }
  }

  async discard(selection: UndecidedSelection): Promise<{ discarded: number }> {
    const { schema } = this.#parts
    const discarded = await this.#inBatches(selection, async (tx, ids) => ({
      count: await removeUndecided(tx, schema, ids, 'discarded'),
    }))
    return { discarded }
  }

  async #inBatches(
    selection: UndecidedSelection,
    work: (
      tx: SqlTx,
      ids: readonly string[],
    ) => Promise<{ count: number; topicIds?: ReadonlySet<number> }>,
  ): Promise<number> {
    const { db, inTransaction, schema, wakeLanes } = this.#parts
    const through = await newestUndecidedId(db, schema)
    let sum = 0
    for (let afterId: string | undefined = '0'; afterId !== undefined;) {
      const after: string = afterId
      const batch = await inTransaction(async (tx) => {
        await lockUndecided(tx, schema)
        const range = { after, through, limit: batchEvents }
        const ids = await readUndecidedIds(tx, schema, selection, range)
        return { ...(await work(tx, ids)), lastId: ids.at(-1) }
      })
      if (batch.topicIds?.size) wakeLanes(batch.topicIds)
      sum += batch.count
      afterId = batch.lastId
    }
    return sum
  }

  async #look(): Promise<void> {
    const { db, inTransaction, schema, parking, registry } = this.#parts
    await parking.lookForRoom()
    const { areParked, areCounted } = await lookForUndecided(db, schema)
    if (areCounted) {
      await inTransaction(async (tx) => {
        if (await tryLockUndecided(tx, schema)) await addUpNotKept(tx, schema)
      })
    }
    if (!areParked) return
    const queues = [...matchedQueues(registry).values()].map(({ audience }) => audience)
    if (queues.length === 0) return
    for (const queue of await findDueQueues(db, schema, queues)) {
      let found: readonly string[] = []
      await this.#decideAll({
        find: async (afterId) => {
          if (this.#stopping.signal.aborted) return []
          found = found.filter((id) => BigInt(id) > BigInt(afterId))
          if (found.length === 0) found = await readDueIds(db, schema, queue, afterId)
          return found.slice(0, maxBatchEvents)
        },
        read: async (tx, ids) =>
          (await tryLockUndecided(tx, schema)) ? readUndecided(tx, schema, ids, queue) : undefined,
      })
    }
  }

  async #decideAll(batches: Batches): Promise<DecidedCounts> {
    const sum = { fired: 0, notFired: 0, undecided: 0 }
    for (let afterId: string | undefined = '0'; afterId !== undefined;) {
      const batch: BatchResult = await this.#decideBatch(batches, afterId)
      sum.fired += batch.fired
      sum.notFired += batch.notFired
      sum.undecided += batch.undecided
      afterId = batch.lastId
    }
    if (sum.fired + sum.notFired > 0) this.#parts.logger.info(sum, 'undecided events were decided')
    return sum
  }

  async #decideBatch({ find, read }: Batches, afterId: string): Promise<BatchResult> {
    const { inTransaction, registry, schema, wakeLanes } = this.#parts
    const ids = await find(afterId)
    if (ids.length === 0) return nothingDecided
    // After they were found: who set them aside may have known a newer topic than this node does.
    await registry.refresh()
    const { topicIds, ...result } = await inTransaction(async (tx) => {
      const events = await read(tx, ids)
      if (!events) return { ...nothingDecided, topicIds: new Set<number>() }
      const queues = await registry.underOneView(() => Promise.resolve(matchedQueues(registry)))
      const { fired, notFired, kept, count } = await this.#decisions.decide(events, queues)
      const removed = await removeUndecided(tx, schema, notFired, 'not_fired')
      await keepUndecided(tx, schema, kept)
      // Last: ids of the log are drawn here.
      const moved = await moveUndecidedToLog(tx, schema, [...fired.keys()])
      const left = [...fired].filter(([id]) => !moved.ids.has(id)).map(([, again]) => again)
      await keepUndecided(tx, schema, left)
      return {
        fired: moved.ids.size,
        notFired: removed,
        undecided: count - moved.ids.size - removed,
        // It may be less than what was found, or nothing of it may be there any more.
        lastId: events[count - 1]?.id ?? ids.at(-1),
        topicIds: moved.topicIds,
      }
    })
    if (topicIds.size > 0) wakeLanes(topicIds)
    return result
  }
}
