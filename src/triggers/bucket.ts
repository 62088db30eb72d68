import type { Change } from '../host/types.ts'
import type { Criteria, Verdict } from './criteria-engine.ts'
import { decideExactly, pathKey, sourceOf, stringsAt, type Guard, type Guards } from './guards.ts'
import type { ResolvedReferences } from './references.ts'

/** All triggers of one bucket with the same criteria text: evaluated once per change. */
export class CriteriaGroup {
  readonly topicUrls: Set<string> = new Set()
  readonly criteria: Criteria
  readonly guards: Guards

  constructor(criteria: Criteria, resourceType: string) {
    this.criteria = criteria
    this.guards = criteria.guards(resourceType)
  }

  decide(change: Change, resolved: ResolvedReferences): Verdict {
    const { guards, isExact } = this.guards
    const fires = isExact ? decideExactly(guards, change) : undefined
    return fires === undefined
      ? this.criteria.evaluate(change, resolved)
      : { kind: 'decided', fires }
  }
}

/** Groups that hang on one path, by the strings they want there. */
interface GuardPath {
  readonly source: Guard['source']
  readonly steps: readonly string[]
  readonly groups: Map<string, Set<CriteriaGroup>>
}

/** The triggers of one resource type and interaction.
 *
 *  A group hangs on its most selective guard, so a change looks up its own strings and meets only the groups that want one of
 *  them. The cost is the number of distinct guard paths and of groups met, not the number of topics. */
export class Bucket {
  readonly #resourceType: string
  /** Topics without a criteria. */
  readonly always: Set<string> = new Set()
  readonly #groups = new Map<string, CriteriaGroup>()
  #paths = new Map<string, GuardPath>()
  #unguarded = new Set<CriteriaGroup>()
  #groupsWhenPlaced = 0

  constructor(resourceType: string) {
    this.#resourceType = resourceType
  }

  add(topicUrl: string, text: string | undefined, criteria: () => Criteria): void {
    if (text === undefined) {
      this.always.add(topicUrl)
      return
    }
    let group = this.#groups.get(text)
    if (!group) {
      group = new CriteriaGroup(criteria(), this.#resourceType)
      this.#groups.set(text, group)
      this.#place(group)
    }
    group.topicUrls.add(topicUrl)
  }

  remove(topicUrl: string, text: string | undefined): void {
    if (text === undefined) {
      this.always.delete(topicUrl)
      return
    }
    const group = this.#groups.get(text)
    group?.topicUrls.delete(topicUrl)
    if (!group || group.topicUrls.size > 0) return
    this.#groups.delete(text)
    this.#unplace(group)
  }

  /** The compiled criteria of this text, when a trigger here has it. */
  criteria(text: string): Criteria | undefined {
    return this.#groups.get(text)?.criteria
  }

  get isEmpty(): boolean {
    return this.always.size === 0 && this.#groups.size === 0
  }

  /** Every group that this change could make true, each once. */
  candidates(change: Change): ReadonlySet<CriteriaGroup> {
    const candidates = new Set(this.#unguarded)
    for (const { source, steps, groups } of this.#paths.values()) {
      for (const value of stringsAt(sourceOf(change, source), steps).values) {
        for (const group of groups.get(value) ?? []) candidates.add(group)
      }
    }
    return candidates
  }

  /** What is selective is known better the more groups there are, so all are placed anew each time their number has doubled. */
  #place(group: CriteriaGroup): void {
    if (this.#groups.size < this.#groupsWhenPlaced * 2 || this.#groups.size === 1) {
      this.#hang(group, (guard) => this.#selectivity(guard))
      return
    }
    this.#groupsWhenPlaced = this.#groups.size
    const wanted = new Map<string, Set<string>>()
    for (const { guards } of this.#groups.values()) {
      for (const guard of guards.guards) {
        const values = wanted.get(pathKey(guard)) ?? new Set()
        for (const value of guard.values) values.add(value)
        wanted.set(pathKey(guard), values)
      }
    }
    this.#paths = new Map()
    this.#unguarded = new Set()
    for (const each of this.#groups.values()) {
      this.#hang(each, (guard) => (wanted.get(pathKey(guard))?.size ?? 0) / guard.values.length)
    }
  }

  #selectivity(guard: Guard): number {
    return (this.#paths.get(pathKey(guard))?.groups.size ?? 0) / guard.values.length
  }

  #hang(group: CriteriaGroup, selectivity: (guard: Guard) => number): void {
    const [first, ...others] = group.guards.guards
    if (!first) {
      this.#unguarded.add(group)
      return
    }
    let best = first
    for (const guard of others) if (selectivity(guard) > selectivity(best)) best = guard
    const { source, steps } = best
    const path: GuardPath = this.#paths.get(pathKey(best)) ?? {
      source,
      steps,
      groups: new Map<string, Set<CriteriaGroup>>(),
    }
    this.#paths.set(pathKey(best), path)
    for (const value of best.values) {
      const groups = path.groups.get(value) ?? new Set<CriteriaGroup>()
      path.groups.set(value, groups.add(group))
    }
  }

  #unplace(group: CriteriaGroup): void {
    this.#unguarded.delete(group)
    for (const guard of group.guards.guards) {
      const path = this.#paths.get(pathKey(guard))
      if (!path) continue
      for (const value of guard.values) {
        const groups = path.groups.get(value)
        if (groups?.delete(group) && groups.size === 0) path.groups.delete(value)
      }
      if (path.groups.size === 0) this.#paths.delete(pathKey(guard))
    }
  }
}
