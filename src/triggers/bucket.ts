import type { Change } from '../host/types.ts'
import type { Criteria } from './criteria-engine.ts'
import { sourceOf, stringsAt, type Guard, type Guards } from './guards.ts'
import { SortedThresholds } from './sorted-thresholds.ts'
import type { NumbersAtPaths, Threshold } from './thresholds.ts'
import { isPreviousUnknown } from './unknown-previous.ts'

/** All triggers of one bucket with the same criteria text: evaluated once per change. */
export class CriteriaGroup {
  readonly topicUrls: Set<string> = new Set()
  readonly text: string
  readonly criteria: Criteria
  readonly guards: Guards
  /** Where the bucket looks for it; absent: it is met by every change. */
  hangsOn: Guard | Threshold | undefined

  constructor(text: string, criteria: Criteria, resourceType: string) {
    this.text = text
    this.criteria = criteria
    this.guards = criteria.guards(resourceType)
  }
}

/** Groups that hang on one path, by the strings they want there. */
interface GuardPath {
  readonly source: Guard['source']
  readonly steps: readonly string[]
  readonly groups: Map<string, Set<CriteriaGroup>>
}

/** Groups that choose their guard anew when one is added. With two, all have done so by the time their number has doubled. */
const reviewsPerGroup = 2

/** As if there were two strings at the path: of many limits a number meets half or, where alarms are set, fewer. */
const thresholdSelectivity = 2

/** The triggers of one resource type and interaction.
 *
 *  A group hangs on its most selective guard, so a change looks up its own strings and meets only the groups that want one of
 *  them; or on a threshold, among the limits of all that compare the same number. The cost is the number of distinct paths and of groups met,
 *  not the number of topics. */
export class Bucket {
  readonly #resourceType: string
  /** Topics without a criteria. */
  readonly always: Set<string> = new Set()
  /** Topics with so many criteria that they may spend their budget. */
  readonly costly: Set<string> = new Set()
  readonly #groups = new Map<string, CriteriaGroup>()
  readonly #paths = new Map<string, GuardPath>()
  /** By the path of the number. */
  readonly #thresholds = new Map<string, SortedThresholds<CriteriaGroup>>()
  readonly #unguarded = new Set<CriteriaGroup>()
  /** Number of groups that want a string at a path, whether they hang there or not. The more strings, the more selective the path. */
  readonly #wanted = new Map<string, Map<string, number>>()
  #review = this.#groups.values()

  constructor(resourceType: string) {
    this.#resourceType = resourceType
  }

  /** @param criteria makes the criteria of a text that is new here */
  add(topicUrl: string, text: string | undefined, criteria: (text: string) => Criteria): void {
    if (text === undefined) {
      this.always.add(topicUrl)
      return
    }
    let group = this.#groups.get(text)
    if (!group) {
      group = new CriteriaGroup(text, criteria(text), this.#resourceType)
      this.#groups.set(text, group)
      for (const guard of group.guards.guards) this.#count(guard, 1)
      this.#hang(group)
      this.#reviewSome()
    }
    group.topicUrls.add(topicUrl)
  }

  /** @returns whether nobody here wants this text any more */
  remove(topicUrl: string, text: string | undefined): boolean {
    // A topic is removed as a whole.
    this.costly.delete(topicUrl)
    if (text === undefined) {
      this.always.delete(topicUrl)
      return false
    }
    const group = this.#groups.get(text)
    group?.topicUrls.delete(topicUrl)
    if (!group || group.topicUrls.size > 0) return false
    this.#groups.delete(text)
    for (const guard of group.guards.guards) this.#count(guard, -1)
    this.#unhang(group)
    return true
  }

  get isEmpty(): boolean {
    return this.always.size === 0 && this.#groups.size === 0
  }

  /** Paths of numbers that {@link candidates} asks for. */
  numberPaths(): Iterable<string> {
    return this.#thresholds.keys()
  }

  /** Every group that this change could make true, each once, also by a version before it that is not known. Where the budget of a topic can be
   *  spent, in the order of the texts, whatever else is in the bucket. */
  candidates(change: Change, numbers: NumbersAtPaths): Iterable<CriteriaGroup> {
    const candidates = new Set(this.#unguarded)
    const isUnknown = isPreviousUnknown(change)
    for (const { source, steps, groups } of this.#paths.values()) {
      if (isUnknown && source === 'previous') {
        for (const hanging of groups.values()) for (const group of hanging) candidates.add(group)
        continue
      }
      for (const value of stringsAt(sourceOf(change, source), steps).values) {
        for (const group of groups.get(value) ?? []) candidates.add(group)
      }
    }
    for (const [path, thresholds] of this.#thresholds) {
      for (const group of thresholds.met(numbers.at(path))) candidates.add(group)
    }
    if (this.costly.size === 0) return candidates
    return [...candidates].toSorted((one, other) => (one.text < other.text ? -1 : 1))
  }

  /** What was selective when a group came may not be so any more. A few at a time: all at once would block for long. */
  #reviewSome(): void {
    for (let n = 0; n < reviewsPerGroup; n++) {
      const { value: group } = this.#review.next()
      if (!group) {
        this.#review = this.#groups.values()
        return
      }
      if (this.#best(group) === group.hangsOn) continue
      this.#unhang(group)
      this.#hang(group)
    }
  }

  #best({ guards: { guards, thresholds } }: CriteriaGroup): Guard | Threshold | undefined {
    let [best] = guards
    for (const guard of guards) {
      if (best && this.#selectivity(guard) > this.#selectivity(best)) best = guard
    }
    const isSelective = best && this.#selectivity(best) >= thresholdSelectivity
    return isSelective ? best : (thresholds[0] ?? best)
  }

  #selectivity(guard: Guard): number {
    return (this.#wanted.get(guard.key)?.size ?? 0) / guard.values.length
  }

  #hang(group: CriteriaGroup): void {
    const best = this.#best(group)
    group.hangsOn = best
    if (!best) this.#unguarded.add(group)
    else if ('limit' in best) {
      const make = (): SortedThresholds<CriteriaGroup> => new SortedThresholds()
      getOrMake(this.#thresholds, best.path, make).add(best, group)
    } else this.#hangOnStrings(group, best)
  }

  #hangOnStrings(group: CriteriaGroup, { key, source, steps, values }: Guard): void {
    const path = getOrMake(this.#paths, key, (): GuardPath => {
      return { source, steps, groups: new Map<string, Set<CriteriaGroup>>() }
    })
    for (const value of values) {
      getOrMake(path.groups, value, () => new Set<CriteriaGroup>()).add(group)
    }
  }

  #unhang(group: CriteriaGroup): void {
    const { hangsOn } = group
    if (!hangsOn) this.#unguarded.delete(group)
    else if ('limit' in hangsOn) this.#unhangFromNumber(group, hangsOn)
    else this.#unhangFromStrings(group, hangsOn)
  }

  #unhangFromNumber(group: CriteriaGroup, threshold: Threshold): void {
    const thresholds = this.#thresholds.get(threshold.path)
    thresholds?.remove(threshold, group)
    if (thresholds?.isEmpty === true) this.#thresholds.delete(threshold.path)
  }

  #unhangFromStrings(group: CriteriaGroup, { key, values }: Guard): void {
    const path = this.#paths.get(key)
    if (!path) return
    for (const value of values) {
      const groups = path.groups.get(value)
      if (groups?.delete(group) && groups.size === 0) path.groups.delete(value)
    }
    if (path.groups.size === 0) this.#paths.delete(key)
  }

  #count(guard: Guard, step: 1 | -1): void {
    const { key } = guard
    const wanted = getOrMake(this.#wanted, key, () => new Map<string, number>())
    for (const value of new Set(guard.values)) {
      const count = (wanted.get(value) ?? 0) + step
      if (count === 0) wanted.delete(value)
      else wanted.set(value, count)
    }
    if (wanted.size === 0) this.#wanted.delete(key)
  }
}

function getOrMake<Key, Value>(map: Map<Key, Value>, key: Key, make: () => Value): Value {
  let value = map.get(key)
  if (value === undefined) map.set(key, (value = make()))
  return value
}
