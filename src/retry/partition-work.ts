import { unlessAborted } from '../deadline.ts'
import { Signal } from '../signal.ts'
import { nextOf, type QueuedRecord } from './next-record.ts'
import { bytesIn, maxStepBytes, type OutgoingRecord } from './record.ts'

/** What came of a record, to be settled: in one Kafka transaction its offset and what is written for it. */
export interface Outcome {
  readonly offset: number
  readonly records: readonly OutgoingRecord[]
  /** Called when the transaction is committed. */
  readonly settled: () => void
}

export interface PartitionParts {
  /** Undefined when it was called off. */
  readonly begin: (queued: QueuedRecord, calledOff: AbortSignal) => Promise<Outcome | undefined>
  readonly postpone: (queued: QueuedRecord) => Outcome
  /** Resolves when all outcomes are settled; does not give up before `calledOff`. Calls nobody's `settled`. */
  readonly settle: (
    outcomes: readonly Outcome[],
    calledOff: AbortSignal,
    onSettled: (count: number) => void,
  ) => Promise<void>
  readonly pause: () => void
  readonly resume: () => void
  readonly maxQueuedRecords: number
  readonly maxQueuedBytes: number
  readonly nowMs: () => number
}

const maxUnsettledRecords = 500
/** Timers take no more than 24 days, and delays may be longer: then it is looked again meanwhile. */
const longestWaitMs = 86_400_000

/** The records of one partition, one after the other in the order of their offsets; what came of them is settled beside that, as many at
 *  a time as have come meanwhile.
 *
 *  States: open, closed (begins nothing more), ended (settles nothing more either). */
export class PartitionWork {
  readonly #parts: PartitionParts
  readonly #queue: QueuedRecord[] = []
  #queuedBytes = 0
  #isPaused = false
  readonly #unsettled: Outcome[] = []
  readonly #toBegin = new Signal()
  readonly #toSettle = new Signal()
  readonly #handlersCalledOff = new AbortController()
  readonly #ended = new AbortController()
  #isClosed = false
  readonly #begun: Promise<void>
  readonly #settled: Promise<void>

  constructor(parts: PartitionParts) {
    this.#parts = parts
    this.#begun = this.#beginAll()
    this.#settled = this.#settleAll()
  }

  push(queued: QueuedRecord): void {
    if (this.#isClosed) return
    this.#queue.push(queued)
    this.#queuedBytes += bytesIn(queued.record)
    const { maxQueuedRecords, maxQueuedBytes, pause } = this.#parts
    const isFull = this.#queue.length >= maxQueuedRecords || this.#queuedBytes >= maxQueuedBytes
    if (isFull && !this.#isPaused) {
      this.#isPaused = true
      pause()
    }
    this.#toBegin.raise()
  }

  /** Begins nothing more. Resolves when what has begun is done. */
  async close(): Promise<void> {
    this.#isClosed = true
    this.#queue.length = 0
    this.#toBegin.raise()
    await this.#begun
  }

  /** Tells the handler that runs that nobody waits for it any more. */
  callOff(): void {
    this.#handlersCalledOff.abort(new Error('The partition is given away.'))
  }

  /** Of a closed partition: resolves when all that is done is settled. */
  async settled(): Promise<void> {
    await this.#settled
  }

  /** Nothing of it is settled any more. Never rejects. */
  async end(): Promise<void> {
    this.#isClosed = true
    this.callOff()
    this.#ended.abort(new Error('The partition is given away.'))
    this.#toBegin.raise()
    this.#toSettle.raise()
    await this.#settled
  }

  async #beginAll(): Promise<void> {
    while (!this.#isClosed) {
      const { nowMs } = this.#parts
      const next = nextOf(this.#queue, nowMs())
      if (this.#unsettled.length >= maxUnsettledRecords) await this.#toBegin.wait()
      else if (next.do === 'wait') {
        const waitMs = next.untilMs - nowMs()
        await this.#toBegin.wait(waitMs === Infinity ? undefined : Math.min(waitMs, longestWaitMs))
      } else {
        const outcome = await this.#outcomeOf(this.#shift(), next.do)
        if (!outcome) break
        this.#unsettled.push(outcome)
        this.#toSettle.raise()
      }
    }
    this.#isClosed = true
    this.#toSettle.raise()
  }

  async #outcomeOf(queued: QueuedRecord, what: 'begin' | 'postpone'): Promise<Outcome | undefined> {
    const { begin, postpone } = this.#parts
    if (what === 'postpone') return postpone(queued)
    const calledOff = this.#handlersCalledOff.signal
    try {
      // A handler that does not listen to its signal is not waited for.
      return await unlessAborted(begin(queued, calledOff), calledOff)
    } catch (error) {
      if (calledOff.aborted) return undefined
      throw error
    }
  }

  #shift(): QueuedRecord {
    const queued = this.#queue.shift()
    if (!queued) throw new RangeError('the queue is empty')
    this.#queuedBytes -= bytesIn(queued.record)
    const { maxQueuedRecords, maxQueuedBytes, resume } = this.#parts
    const hasRoom =
      this.#queue.length <= maxQueuedRecords / 2 && this.#queuedBytes <= maxQueuedBytes / 2
    if (this.#isPaused && hasRoom) {
      this.#isPaused = false
      resume()
    }
    return queued
  }

  async #settleAll(): Promise<void> {
    const ended = this.#ended.signal
    while (!ended.aborted) {
      if (this.#unsettled.length === 0) {
        if (this.#isClosed && (await this.#isDone())) return
        await this.#toSettle.wait()
        continue
      }
      await this.#parts.settle(this.#step(), ended, (count) => {
        for (const { settled } of this.#unsettled.splice(0, count)) settled()
        this.#toBegin.raise()
      })
    }
  }

  /** Whether nothing can come any more, after the last record was done. */
  async #isDone(): Promise<boolean> {
    await this.#begun
    return this.#unsettled.length === 0
  }

  /** What is settled next: all, or as much as fits into one transaction. */
  #step(): Outcome[] {
    let bytes = 0
    const end = this.#unsettled.findIndex(({ records }, index) => {
      bytes += records.reduce((sum, record) => sum + bytesIn(record), 0)
      return bytes > maxStepBytes && index > 0
    })
    return this.#unsettled.slice(0, end < 0 ? undefined : end)
  }
}
