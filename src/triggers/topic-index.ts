import { interactions, type Change, type Interaction } from '../host/types.ts'
import { Slices } from '../slices.ts'
import { Bucket, type CriteriaGroup } from './bucket.ts'
import type { CriteriaFacts } from './criteria-facts.ts'
import {
  fhirPathEngine,
  type Criteria,
  type CriteriaEngine,
  type Verdict,
} from './criteria-engine.ts'
import { criteriaLimits } from './criteria-language.ts'
import { anyType, isDomainResource } from './element-model.ts'
import { decideByConditions } from './guards.ts'
import { PathNumbers } from './path-numbers.ts'
import { noReferences, type ResolvedReferences } from './references.ts'
import { isWide, type SubscriptionTopic, type TopicTrigger } from './subscription-topic.ts'
import type { NumbersAtPaths } from './thresholds.ts'
import { budgetSpent, TopicBudgets } from './topic-budgets.ts'

export type { ResolvedReferences } from './references.ts'

export interface UndecidedTopic {
  readonly topicUrl: string
  /** One sentence for an operator, without resource content. */
  readonly error: string
  /** The same criteria may decide the same change another time. */
  readonly isTransient?: boolean
}

export interface PendingTopic {
  readonly topicUrl: string
  /** References that must be read before this topic can be decided. */
  readonly references: readonly string[]
}

/** A topic is in at most one of the lists; one that does not fire is in none. */
export interface MatchResult {
  /** Urls of the topics that fire, each once. */
  readonly fired: readonly string[]
  readonly undecided: readonly UndecidedTopic[]
  /** Match again with these references resolved. */
  readonly pending: readonly PendingTopic[]
}

const noMatch: MatchResult = { fired: [], undecided: [], pending: [] }

/** The triggers on one concrete resource type. */
interface TypeBuckets {
  readonly byInteraction: ReadonlyMap<Interaction, Bucket>
  /** Goes through the wide topics of the time it was made and those that come meanwhile. The first change of the type waits for its end. */
  readonly joining: Iterator<SubscriptionTopic, undefined>
}

/** Which topics a change fires.
 *
 *  One bucket per concrete resource type and interaction; a trigger on every type joins each bucket when its type is first seen,
 *  so a change looks into exactly one bucket and a criteria is evaluated at most once. */
export class TopicIndex {
  readonly #engine: CriteriaEngine
  readonly #topics = new Map<string, SubscriptionTopic>()
  readonly #buckets = new Map<string, TypeBuckets>()
  /** Topics with a trigger on more than one type. */
  readonly #wide = new Map<string, SubscriptionTopic>()
  /** One criteria object per text, shared by all buckets: a compiled one takes about 10 KB. */
  readonly #criteria = new Map<string, { readonly shared: Criteria; users: number }>()

  constructor(engine: CriteriaEngine = fhirPathEngine) {
    this.#engine = engine
  }

  /** Adds a topic, or replaces the one with the same url. */
  put(topic: SubscriptionTopic): void {
    this.remove(topic.url)
    this.#topics.set(topic.url, topic)
    // Read already when the first change of a type comes.
    for (const text of wideTexts(topic)) this.#use(text)
    for (const trigger of topic.triggers) {
      if (isWide(trigger)) this.#wide.set(topic.url, topic)
      else this.#bucketsOf(trigger.resourceType)
    }
    for (const resourceType of this.#typesOf(topic)) this.#add(topic, resourceType)
  }

  remove(topicUrl: string): void {
    const topic = this.#topics.get(topicUrl)
    if (!topic) return
    const types = this.#typesOf(topic)
    this.#topics.delete(topicUrl)
    this.#wide.delete(topicUrl)
    for (const text of wideTexts(topic)) this.#release(text)
    for (const resourceType of types) {
      const buckets = this.#buckets.get(resourceType)?.byInteraction
      if (!buckets) continue
      for (const { interactions: wanted, criteria } of triggersOn(topic, resourceType)) {
        for (const interaction of wanted) {
          const isUnused = buckets.get(interaction)?.remove(topicUrl, criteria)
          if (isUnused && criteria !== undefined) this.#release(criteria)
        }
      }
      if ([...buckets.values()].every(({ isEmpty }) => isEmpty)) this.#buckets.delete(resourceType)
    }
  }

  /** Removes and puts many topics while the event loop turns. A change that is matched meanwhile meets each topic as it was or as it
   *  will be. */
  async update(removed: Iterable<string>, added: Iterable<SubscriptionTopic>): Promise<void> {
    const slices = new Slices()
    for (const url of removed) {
      this.remove(url)
      await slices.pause()
    }
    for (const topic of added) {
      const texts = topic.triggers.flatMap(({ criteria }) => criteria ?? [])
      // Parsing takes longest, so each text is read in a piece of its own before the topic is put as a whole.
      for (const text of texts) {
        this.#use(text).guards(anyType)
        await slices.pause()
      }
      this.put(topic)
      for (const text of texts) this.#release(text)
      await slices.pause()
    }
  }

  /** What a criteria says of itself; without parsing it where a topic has it. */
  factsOf(text: string): CriteriaFacts {
    return (this.#criteria.get(text)?.shared ?? this.#engine.compile(text)).facts()
  }

  /** Decides every topic that this change could fire. Never throws.
   *
   *  @param resolved What `resolve()` can see. */
  match(change: Change, resolved: ResolvedReferences = noReferences): MatchResult {
    while (this.#joinNext(change));
    const bucket = this.#bucketFor(change)
    if (!bucket) return noMatch
    const numbers = new PathNumbers(change)
    const findings = new Findings(bucket.always)
    for (const group of bucket.candidates(change, numbers)) {
      findings.meet(group, change, resolved, numbers)
    }
    return findings.result()
  }

  /** {@link match}, with a pause after each criteria: each is stopped by its own fuel only, and a change may meet hundreds. So is each
   *  path that is compared with numbers. The first change of a type waits until thousands of wide topics have joined its buckets.
   *
   *  @param pause What it throws ends the matching. */
  async matchInTurns(
    change: Change,
    resolved: ResolvedReferences | undefined,
    pause: () => Promise<void>,
  ): Promise<MatchResult> {
    const numbers = new PathNumbers(change)
    while (this.#joinNext(change) || this.#readNext(change, numbers)) await pause()
    // No pause from here to the candidates: topics change meanwhile, and buckets with them.
    const bucket = this.#bucketFor(change)
    if (!bucket) return noMatch
    const findings = new Findings(bucket.always)
    for (const group of bucket.candidates(change, numbers)) {
      findings.meet(group, change, resolved ?? noReferences, numbers)
      await pause()
    }
    return findings.result()
  }

  /** Lets one more of the wide topics into the buckets that a change looks into. One that is there already is not added again.
   *
   *  @returns false when all of them are there */
  #joinNext({ resourceType }: Change): boolean {
    if (!this.#buckets.has(resourceType) && this.#wide.size === 0) return false
    const { value: topic } = this.#bucketsOf(resourceType).joining.next()
    if (!topic) return false
    this.#add(topic, resourceType)
    return true
  }

  /** Reads one more of the numbers that the candidates among the criteria depend on; false when all are known. */
  #readNext(change: Change, numbers: PathNumbers): boolean {
    const paths = this.#bucketFor(change)?.numberPaths()
    return paths !== undefined && numbers.readNext(paths)
  }

  /** The bucket that a change looks into; undefined when nothing is in it. */
  #bucketFor({ resourceType, interaction }: Change): Bucket | undefined {
    const bucket = this.#buckets.get(resourceType)?.byInteraction.get(interaction)
    return bucket?.isEmpty === false ? bucket : undefined
  }

  /** Buckets of a type; made on first sight. */
  #bucketsOf(resourceType: string): TypeBuckets {
    let known = this.#buckets.get(resourceType)
    if (!known) {
      const byInteraction = new Map(interactions.map((each) => [each, new Bucket(resourceType)]))
      known = { byInteraction, joining: this.#wide.values() }
      this.#buckets.set(resourceType, known)
    }
    return known
  }

  #add(topic: SubscriptionTopic, resourceType: string): void {
    const triggers = triggersOn(topic, resourceType)
    const mayBeCostly = triggers.length > criteriaLimits.maxTopicEvaluations
    for (const { interactions: wanted, criteria } of triggers) {
      for (const interaction of wanted) {
        const bucket = this.#buckets.get(resourceType)?.byInteraction.get(interaction)
        bucket?.add(topic.url, criteria, (text) => this.#use(text))
        if (mayBeCostly) bucket?.costly.add(topic.url)
      }
    }
  }

  /** Types that the topic has triggers on, as far as they have buckets. */
  #typesOf(topic: SubscriptionTopic): ReadonlySet<string> {
    return new Set(
      this.#wide.has(topic.url)
        ? this.#buckets.keys()
        : topic.triggers.map(({ resourceType }) => resourceType),
    )
  }

  /** To be followed by a {@link #release} in the end. */
  #use(text: string): Criteria {
    let known = this.#criteria.get(text)
    if (!known) this.#criteria.set(text, (known = { shared: this.#engine.compile(text), users: 0 }))
    known.users++
    return known.shared
  }

  #release(text: string): void {
    const known = this.#criteria.get(text)
    if (known && --known.users === 0) this.#criteria.delete(text)
  }
}

/** What the criteria that a change has met come to, by topic. */
class Findings {
  readonly #fired: Set<string>
  readonly #undecided = new Map<string, string>()
  readonly #pending = new Map<string, readonly string[]>()
  readonly #budgets = new TopicBudgets()

  /** @param always topics that fire without a criteria */
  constructor(always: ReadonlySet<string>) {
    this.#fired = new Set(always)
  }

  meet(
    group: CriteriaGroup,
    change: Change,
    resolved: ResolvedReferences,
    numbers: NumbersAtPaths,
  ): void {
    const fires = decideByConditions(group.guards, change, numbers)
    if (fires === true) for (const url of group.topicUrls) this.#fired.add(url)
    if (fires !== undefined) return
    const topicUrls = this.#withinBudget(group.topicUrls)
    if (topicUrls.size === 0) return
    const verdict = group.criteria.evaluate(change, resolved)
    this.#add(topicUrls, verdict)
    if (verdict.cost !== undefined) this.#budgets.pay(topicUrls, verdict.cost)
  }

  #add(topicUrls: ReadonlySet<string>, verdict: Verdict): void {
    if (verdict.kind === 'decided' && !verdict.fires) return
    for (const url of topicUrls) {
      if (verdict.kind === 'decided') this.#fired.add(url)
      else if (verdict.kind === 'undecided') this.#undecided.set(url, sentence(verdict))
      else this.#pending.set(url, [...(this.#pending.get(url) ?? []), ...verdict.references])
    }
  }

  /** Those that still want to know what a criteria comes to. */
  #withinBudget(topicUrls: ReadonlySet<string>): ReadonlySet<string> {
    if (!this.#budgets.isAnySpent) return topicUrls
    const wanting = new Set<string>()
    for (const url of topicUrls) {
      if (this.#fired.has(url)) continue
      if (this.#budgets.isSpent(url)) this.#undecided.set(url, budgetSpent)
      else wanting.add(url)
    }
    return wanting
  }

  result(): MatchResult {
    const [fired, pending] = [this.#fired, this.#pending]
    return {
      fired: [...fired],
      // One trigger that is true is enough; one that is still open may yet be.
      pending: [...pending]
        .filter(([url]) => !fired.has(url))
        .map(([topicUrl, references]) => ({ topicUrl, references })),
      undecided: [...this.#undecided]
        .filter(([url]) => !fired.has(url) && !pending.has(url))
        .map(([topicUrl, error]) => ({ topicUrl, error })),
    }
  }
}

function sentence({ error, position }: Verdict & { kind: 'undecided' }): string {
  return position ? `${error} (near line ${position.line}, column ${position.column})` : error
}

function wideTexts({ triggers }: SubscriptionTopic): string[] {
  return triggers.flatMap((trigger) => (isWide(trigger) ? (trigger.criteria ?? []) : []))
}

/** Triggers of a topic that look at a concrete resource type. */
export function triggersOn(topic: SubscriptionTopic, resourceType: string): TopicTrigger[] {
  return topic.triggers.filter(
    (trigger) =>
      trigger.resourceType === resourceType ||
      trigger.resourceType === '*' ||
      (trigger.resourceType === 'DomainResource' && isDomainResource(resourceType)),
  )
}
