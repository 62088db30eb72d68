import type { Snapshot } from './snapshot.ts'

/** Knows below which id no event can appear any more, so that a reader need not look there again.
 *
 *  **Why ids appear late.** An id is drawn when the row is inserted, but the row is visible only when its transaction commits:
 *
 *      T1  insert, draws id 7 ............................. commit
 *      T2        insert, draws id 8, commit
 *      reader                              reads 8 .................. must still find 7
 *
 *  So after reading up to id 8 under a snapshot, ids up to 8 may still appear. The question is how far down. A snapshot does not
 *  answer it alone: its xmax is one more than the newest transaction that *ended*, so a running transaction of a higher number is
 *  not listed in it. In the picture, if T2 ended as number 100, a snapshot can read `100:101:` although T1 runs as number 101. "No
 *  transaction is listed, so everything up to 8 is here" loses event 7.
 *
 *  **What answers it.** Our own updates of the cursor date transactions. Each reads the last drawn id `h` first and gets its own
 *  number `u` after that. An event takes its transaction's number before its id (the order of the columns sees to that), so
 *
 *      a transaction with a number > u got it after h was read, and draws ids > h.
 *
 *  Every transaction a snapshot does not contain is >= its xmin. So when `u < xmin`, all that is still to come has ids > h. The
 *  newest such `h` is `scanFrom`.
 *
 *  **Long transactions.** One that runs for a minute keeps xmin low for a minute; `scanFrom` would stand still and each round would
 *  look through all ids of that minute. So listed transactions older than the newest `parkAfterUpdates` updates are *parked*: each with
 *  the bound that holds for it alone, the newest `h` whose `u` is below its number. The others are judged without them. When a
 *  parked one ends, one round starts at its bound, once. */
export class LateIds {
  /** Below this id nothing can appear, parked transactions aside. */
  #scanFrom: bigint
  /** Own updates, oldest first. */
  #updates: { readonly xid: bigint; readonly lastId: bigint }[] = []
  /** Parked transactions and the id above which each draws its ids. */
  #parked: ReadonlyMap<bigint, bigint> = new Map()
  readonly #parkAfterUpdates: number

  /** `low`: at and below this id everything is settled. Nothing else is known after a restart: whatever had not ended may draw ids
   *  above it. */
  constructor(low: bigint, parkAfterUpdates = 64) {
    this.#scanFrom = low
    this.#parkAfterUpdates = parkAfterUpdates
  }

  /** At and below this id everything is settled for good. */
  get low(): bigint {
    let low = this.#scanFrom
    for (const bound of this.#parked.values()) if (bound < low) low = bound
    return low
  }

  get parkedCount(): number {
    return this.#parked.size
  }

  /** The last drawn id that the newest update knows of. */
  get newestLastId(): bigint | undefined {
    return this.#updates.at(-1)?.lastId
  }

  /** Notes an own update of the cursor: `lastId` was read before the number `xid` was assigned. */
  noteUpdate(xid: bigint, lastId: bigint): void {
    this.#updates.push({ xid, lastId })
  }

  /** After which id a round under `snapshot` has to read: lower than usual once when a parked transaction has ended. */
  startOfRound(snapshot: Snapshot): bigint {
    let start = this.#scanFrom
    for (const [xid, bound] of this.#parked) {
      if (!snapshot.running.has(xid) && bound < start) start = bound
    }
    return start
  }

  /** A round under `snapshot` was read to its end, and everything up to `position` that the snapshot contains is settled. */
  endRound(snapshot: Snapshot, position: bigint): void {
    const parked = this.#park(snapshot)
    // What is neither contained nor parked is at or above this number.
    let oldest = snapshot.xmax
    for (const xid of snapshot.running) if (!parked.has(xid) && xid < oldest) oldest = xid
    let newest = -1
    while ((this.#updates[newest + 1]?.xid ?? oldest) < oldest) newest++
    const bound = this.#updates[newest]?.lastId
    if (bound !== undefined && bound > this.#scanFrom) this.#scanFrom = bound
    this.#forgetUpdates(newest)
    // Above the position the next round reads anyway.
    if (this.#scanFrom > position) this.#scanFrom = position
    this.#parked = parked
  }

  /** The parked transactions that still run, and those that have become old enough. */
  #park(snapshot: Snapshot): Map<bigint, bigint> {
    const parked = new Map<bigint, bigint>()
    const youngest = this.#updates.at(-this.#parkAfterUpdates)?.xid
    const isKnownLongEnough = this.#updates.length > this.#parkAfterUpdates
    for (const xid of snapshot.running) {
      const bound = this.#parked.get(xid)
      if (bound !== undefined) parked.set(xid, bound)
      else if (isKnownLongEnough && youngest !== undefined && xid < youngest) {
        parked.set(xid, this.#boundOf(xid))
      }
    }
    return parked
  }

  #boundOf(xid: bigint): bigint {
    let bound = this.#scanFrom
    for (const update of this.#updates) {
      if (update.xid >= xid) break
      bound = update.lastId
    }
    return bound
  }

  /** Keeps the newest that is already used (`newest`), and enough to park by. */
  #forgetUpdates(newest: number): void {
    const count = this.#updates.length
    if (newest <= 0 || count <= 4 * this.#parkAfterUpdates) return
    this.#updates.splice(0, Math.min(newest, count - 2 * this.#parkAfterUpdates))
  }
}
