import { createHash } from 'node:crypto'
import { version as fhirPathVersion } from 'fhirpath'
import type { Interaction } from '../host/types.ts'
import { modulePackage } from '../module-package.ts'
import { Slices } from '../slices.ts'
import type { CriteriaFacts } from './criteria-facts.ts'
import type { SubscriptionTopic } from './subscription-topic.ts'
import { triggersOn } from './topic-index.ts'

/** Finds the facts of a criteria. */
export type FactsOf = (text: string) => CriteriaFacts

const typeName = /^(?:[A-Z][A-Za-z0-9]*|\*)$/

/** What the criteria of some topics say of themselves. */
export class TopicFacts {
  readonly #topics: SubscriptionTopic[] = []
  readonly #byText = new Map<string, CriteriaFacts>()
  readonly #faults = new Map<string, string>()
  readonly #usingPrevious = new Map<string, readonly string[]>()

  /** Of these topics, while the event loop turns.
   *
   *  @param factsOf who has parsed the criteria: for thousands of them that takes about a second */
  static async inSlices(
    topics: Iterable<SubscriptionTopic>,
    factsOf: FactsOf,
  ): Promise<TopicFacts> {
    const slices = new Slices()
    const facts = new TopicFacts()
    for (const topic of topics) {
      facts.#add(topic, factsOf)
      await slices.pause()
    }
    return facts
  }

  /** What is wrong with topics that were stored and cannot be used as they are, by url. One sentence each. */
  get faults(): ReadonlyMap<string, string> {
    return this.#faults
  }

  /** Urls of the topics that need the version before a change of this kind. */
  usingPrevious(resourceType: string, interaction: Interaction): readonly string[] {
    const key = `${interaction} ${resourceType}`
    const known = this.#usingPrevious.get(key)
    if (known) return known
    const topics = this.#topics.filter((topic) =>
      triggersOn(topic, resourceType).some(
        ({ interactions, criteria }) =>
          interactions.includes(interaction) && this.#asksForPrevious(criteria),
      ),
    )
    const urls = topics.map(({ url }) => url)
    this.#usingPrevious.set(key, urls)
    return urls
  }

  /** Whether a criteria of the topic asks for the version before. */
  usesPrevious({ triggers }: Pick<SubscriptionTopic, 'triggers'>): boolean {
    return triggers.some(({ criteria }) => this.#asksForPrevious(criteria))
  }

  #asksForPrevious(criteria: string | undefined): boolean {
    return criteria !== undefined && this.#byText.get(criteria)?.usesPrevious === true
  }

  #add(topic: SubscriptionTopic, factsOf: FactsOf): void {
    this.#topics.push(topic)
    for (const [index, { criteria, resourceType }] of topic.triggers.entries()) {
      let facts: CriteriaFacts | undefined
      if (criteria !== undefined) {
        facts = this.#byText.get(criteria) ?? factsOf(criteria)
        this.#byText.set(criteria, facts)
      }
      const fault = typeName.test(resourceType)
        ? facts?.fault
        : 'It names no resource type, so it never fires.'
      if (fault === undefined || this.#faults.has(topic.url)) continue
      this.#faults.set(topic.url, `trigger[${index}]: ${fault}`)
    }
  }
}

const names = new WeakMap<SubscriptionTopic, string>()

/** Names what a topic selects, and what decides it, so that it can be told whether a change was decided by them or by what they were before. */
export function criteriaName(topic: SubscriptionTopic): string {
  const known = names.get(topic)
  if (known !== undefined) return known
  const name = criteriaNameOf(topic, [modulePackage.version, fhirPathVersion])
  names.set(topic, name)
  return name
}

/** @param versions of everything that a decision depends on beside the topic: an upgrade may decide what the version before could not */
export function criteriaNameOf(
  { triggers, organization }: Pick<SubscriptionTopic, 'triggers' | 'organization'>,
  versions: readonly string[],
): string {
  const text = JSON.stringify([versions, triggers, organization ?? null])
  return createHash('sha256').update(text).digest('hex').slice(0, 16)
}
