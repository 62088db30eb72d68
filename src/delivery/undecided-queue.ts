import type { FhirHost, SqlTx } from '../host/types.ts'
import type { Logger } from '../observability/logger.ts'
import type { Telemetry } from '../observability/telemetry.ts'
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
  selectedQueues,
  tryLockUndecided,
  type QueueCriteria,
  type StoredUndecided,
  type UndecidedEvent,
} from '../outbox/undecided-events.ts'
import type { UndecidedSelection } from '../outbox/undecided-selection.ts'
import { boundedRead } from '../host/bounded-read.ts'
import { PollLoop } from './poll-loop.ts'
import { QueueTurns } from './queue-turns.ts'
import type { Registry } from './registry.ts'
import { matchedQueues, UndecidedDecisions } from './undecided-decisions.ts'
import type { UndecidedParking } from './undecided-parking.ts'

export interface UndecidedQueueParts {
  readonly db: SqlTx
  /** A transaction of the module's own pool. */
  readonly inTransaction: <Result>(work: (tx: SqlTx) => Promise<Result>) => Promise<Result>
  readonly schema: OutboxSchema
  readonly host: Pick<FhirHost, 'read'>
  readonly registry: Pick<Registry, 'matchedTopics' | 'audiences' | 'refresh' | 'underOneView'>
  readonly parking: Pick<UndecidedParking, 'lookForRoom'>
  /** These queues of the log have new events. */
  readonly wakeLanes: (topicIds: ReadonlySet<number>) => void
  /** Most queues that are decided at the same time. Each holds a connection, also while the host reads. */
  readonly maxQueuesAtOnce: number
  /** The host has so long for a read, in ms; a transaction is open meanwhile.
   *  @default 10000 */
  readonly readTimeoutMs?: number
  readonly logger: Logger
  /** @default nobody is told */
  readonly telemetry?: Telemetry
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
  /** A read of the host failed. */
  readonly isReadFailing: boolean
}

const nothingDecided: BatchResult = {
  fired: 0,
  notFired: 0,
  undecided: 0,
  lastId: undefined,
  isReadFailing: false,
}

/** Decides undecided events again: when their topic has changed, and from time to time those that a failed read left undecided.
 *
 *  Every node looks each second. One at a time works on a queue, under an advisory lock that ends with its transaction, and each transaction moves or
 *  removes what it has decided: a node that dies in the middle leaves everything as it was. Queues do not wait for each other. */
export class UndecidedQueue implements UndecidedEvents {
  readonly #parts: UndecidedQueueParts
  readonly #decisions: UndecidedDecisions
  readonly #loop: PollLoop
  readonly #turns: QueueTurns
  readonly #stopping = new AbortController()

  constructor(parts: UndecidedQueueParts) {
    this.#parts = parts
    const read: FhirHost['read'] = (references) => parts.host.read(references)
    const { signal } = this.#stopping
    const { maxQueuesAtOnce, readTimeoutMs: timeoutMs = 10_000 } = parts
    this.#decisions = new UndecidedDecisions(boundedRead(read, { timeoutMs, signal }))
    const onError = (error: unknown): void => {
      parts.logger.warn({ err: error }, 'cannot decide undecided events; will retry')
    }
    const onRoom = (): void => {
      this.#loop.wake()
    }
    this.#loop = new PollLoop({ intervalMs, work: () => this.#look(), onError })
    this.#turns = new QueueTurns({ maxAtOnce: maxQueuesAtOnce, onError, onRoom })
  }

  start(): void {
    this.#loop.start()
  }

  /** Resolves when the batches under way have ended; the host is not waited for. */
  async stop(): Promise<void> {
    this.#stopping.abort()
    await this.#loop.stop()
    await this.#turns.ended()
  }

  async list({ selection = 'all', afterId = '0', limit = 100 }: UndecidedPage = {}): Promise<
    readonly UndecidedEvent[]
  > {
    return listUndecided(this.#parts.db, this.#parts.schema, selection, afterId, limit)
  }

  async decide(selection: UndecidedSelection): Promise<DecidedCounts> {
    const { db, schema } = this.#parts
    const sum = { fired: 0, notFired: 0, undecided: 0 }
    await this.#eachQueue(selection, async (topicId, through) => {
      const decided = await this.#decideAll({
        find: (after) => {
          const range = { topicId, after, through, limit: maxBatchEvents }
          return readUndecidedIds(db, schema, selection, range)
        },
        read: async (tx, ids) => {
          await lockUndecided(tx, schema, topicId)
          return readUndecided(tx, schema, ids)
        },
      })
      addTo(sum, decided)
    })
    return sum
  }

  async release(selection: UndecidedSelection): Promise<{ released: number }> {
    const { schema, wakeLanes } = this.#parts
    const released = await this.#inBatches(
      selection,
      async (tx, ids) => (await moveUndecidedToLog(tx, schema, ids)).ids.size,
      (topicId) => {
        wakeLanes(new Set([topicId]))
      },
    )
    return { released }
  }

  async discard(selection: UndecidedSelection): Promise<{ discarded: number }> {
    const { schema } = this.#parts
    const discarded = await this.#inBatches(selection, (tx, ids) =>
      removeUndecided(tx, schema, ids, 'discarded'),
    )
    return { discarded }
  }

  /** One queue after the other, each up to the newest event that was there at the call. */
  async #eachQueue(
    selection: UndecidedSelection,
    work: (topicId: number, through: string) => Promise<void>,
  ): Promise<void> {
    const { db, schema } = this.#parts
    const through = await newestUndecidedId(db, schema)
    for (const topicId of await selectedQueues(db, schema, selection)) await work(topicId, through)
  }

  /** @returns the sum of what the batches answered */
  async #inBatches(
    selection: UndecidedSelection,
    work: (tx: SqlTx, ids: readonly string[]) => Promise<number>,
    onBatch: (topicId: number) => void = () => undefined,
  ): Promise<number> {
    const { inTransaction, schema } = this.#parts
    let sum = 0
    await this.#eachQueue(selection, async (topicId, through) => {
      for (let afterId: string | undefined = '0'; afterId !== undefined;) {
        const after: string = afterId
        const { count, lastId } = await inTransaction(async (tx) => {
          await lockUndecided(tx, schema, topicId)
          const range = { topicId, after, through, limit: batchEvents }
          const ids = await readUndecidedIds(tx, schema, selection, range)
          return { count: await work(tx, ids), lastId: ids.at(-1) }
        })
        if (count > 0) onBatch(topicId)
        sum += count
        afterId = lastId
      }
    })
    return sum
  }

  async #look(): Promise<void> {
    const { db, inTransaction, schema, parking, registry } = this.#parts
    await parking.lookForRoom()
    const { areParked, areCounted } = await lookForUndecided(db, schema)
    if (areCounted) {
      await inTransaction(async (tx) => {
        if (await tryLockUndecided(tx, schema, 'not-kept')) await addUpNotKept(tx, schema)
      })
    }
    const queues = areParked
      ? [...matchedQueues(registry).values()].map(({ audience }) => audience)
      : []
    const due = queues.length === 0 ? [] : await findDueQueues(db, schema, queues)
    this.#turns.start(due, (queue) => this.#decideDue(queue))
  }

  /** Until a read fails: the host may need its time, and the rest of the queue has another turn.
   *  @returns whether it has decided anything */
  async #decideDue(queue: QueueCriteria): Promise<boolean> {
    const { db, schema } = this.#parts
    let found: readonly string[] = []
    const { fired, notFired, undecided } = await this.#decideAll(
      {
        find: async (afterId) => {
          if (this.#stopping.signal.aborted) return []
          found = found.filter((id) => BigInt(id) > BigInt(afterId))
          if (found.length === 0) found = await readDueIds(db, schema, queue, afterId)
          return found.slice(0, maxBatchEvents)
        },
        read: async (tx, ids) => {
          const isLocked = await tryLockUndecided(tx, schema, queue.topicId)
          return isLocked ? readUndecided(tx, schema, ids, queue) : undefined
        },
      },
      ({ isReadFailing }) => isReadFailing,
    )
    return fired + notFired + undecided > 0
  }

  /** @param isEnough after a batch that was not the last one */
  async #decideAll(
    batches: Batches,
    isEnough: (batch: BatchResult) => boolean = () => false,
  ): Promise<DecidedCounts> {
    const sum = { fired: 0, notFired: 0, undecided: 0 }
    for (let afterId: string | undefined = '0'; afterId !== undefined;) {
      const batch: BatchResult = await this.#decideBatch(batches, afterId)
      addTo(sum, batch)
      afterId = isEnough(batch) ? undefined : batch.lastId
    }
    if (sum.fired + sum.notFired > 0) {
      this.#parts.logger.info(sum, 'undecided events were decided')
      this.#parts.telemetry?.decided(sum)
    }
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
        isReadFailing: kept.some(({ retryInMs }) => retryInMs !== null),
        topicIds: moved.topicIds,
      }
    })
    if (topicIds.size > 0) wakeLanes(topicIds)
    return result
  }
}

function addTo(
  sum: { fired: number; notFired: number; undecided: number },
  { fired, notFired, undecided }: DecidedCounts,
): void {
  sum.fired += fired
  sum.notFired += notFired
  sum.undecided += undecided
}
