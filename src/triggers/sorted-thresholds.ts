import { isOnSide, type NumberAtPath, type Ordering, type Threshold } from './thresholds.ts'

interface Entry<Item> {
  readonly limit: number
  readonly item: Item
}

/** Items that wait for a number beyond a limit of theirs, by those limits: the ones that a number meets are found without a look at the
 *  others. */
export class SortedThresholds<Item> {
  /** In the order of the limits. */
  readonly #entries: Readonly<Record<Ordering, Entry<Item>[]>> = {
    '<': [],
    '<=': [],
    '>': [],
    '>=': [],
  }

  add({ operator, limit }: Threshold, item: Item): void {
    const entries = this.#entries[operator]
    const at = countWhile(entries, (entry) => entry.limit < limit)
    entries.splice(at, 0, { limit, item })
  }

  remove({ operator, limit }: Threshold, item: Item): void {
    const entries = this.#entries[operator]
    let at = countWhile(entries, (entry) => entry.limit < limit)
    while (entries[at]?.limit === limit && entries[at]?.item !== item) at++
    if (entries[at]?.limit === limit) entries.splice(at, 1)
  }

  get isEmpty(): boolean {
    return Object.values(this.#entries).every((entries) => entries.length === 0)
  }

  /** Items whose threshold holds for the number, or may hold. */
  *met(number: NumberAtPath): Generator<Item> {
    if (number === 'none') return
    for (const [operator, entries] of Object.entries(this.#entries) as [
      Ordering,
      Entry<Item>[],
    ][]) {
      const [from, to] =
        number === 'unclear' ? [0, entries.length] : stretch(operator, entries, number)
      for (let at = from; at < to; at++) yield (entries[at] as Entry<Item>).item
    }
  }
}

/** What is greater than a limit is greater than all limits below; what is less, is less than all above. */
function stretch(
  operator: Ordering,
  entries: readonly Entry<unknown>[],
  number: Exclude<NumberAtPath, string>,
): readonly [from: number, to: number] {
  const isMet = ({ limit }: Entry<unknown>): boolean => isOnSide(operator, number.compare(limit))
  return operator.startsWith('>')
    ? [0, countWhile(entries, isMet)]
    : [countWhile(entries, (entry) => !isMet(entry)), entries.length]
}

/** How many entries, from the first, have a property that no entry after the first without it has. */
function countWhile<E>(entries: readonly E[], has: (entry: E) => boolean): number {
  let [from, to] = [0, entries.length]
  while (from < to) {
    const middle = (from + to) >> 1
    if (has(entries[middle] as E)) from = middle + 1
    else to = middle
  }
  return from
}
