import { createHash } from 'node:crypto'
import { version as fhirPathVersion } from 'fhirpath'
import type { Interaction } from '../host/types.ts'
import { modulePackage } from '../module-package.ts'
import { Slices } from '../slices.ts'
import { checkSyntax } from './criteria-check.ts'
import type { SubscriptionTopic } from './subscription-topic.ts'
import { triggersOn } from './topic-index.ts'
import { asksForPrevious } from './unknown-previous.ts'

interface CriteriaFacts {
  /** Why it cannot be evaluated on any change; one sentence with its place. */
  readonly fault: string | undefined
  readonly usesPrevious: boolean
}

const typeName = /^(?:[A-Z][A-Za-z0-9]*|\*)$/

/** What the criteria of some topics say of themselves. Each text is looked at once. */
export class TopicFacts {
  readonly #topics: readonly SubscriptionTopic[]
  readonly #byText = new Map<string, CriteriaFacts>()
  readonly #faults = new Map<string, string>()
  readonly #usingPrevious = new Map<string, readonly string[]>()

  /** @param before facts of the topics as they were, to take over what is known */
  constructor(topics: Iterable<SubscriptionTopic>, before?: TopicFacts) {
    this.#topics = [...topics]
    for (const topic of this.#topics) {
      for (const [index, { criteria, resourceType }] of topic.triggers.entries()) {
        const facts = criteria === undefined ? undefined : this.#learn(criteria, before)
        const fault = typeName.test(resourceType)
          ? facts?.fault
          : 'It names no resource type, so it never fires.'
        if (fault === undefined || this.#faults.has(topic.url)) continue
        this.#faults.set(topic.url, `trigger[${index}]: ${fault}`)
      }
    }
  }

  /** The same, while the event loop turns: to parse thousands of criteria takes about a second. */
  static async inSlices(
    topics: readonly SubscriptionTopic[],
    before: TopicFacts,
  ): Promise<TopicFacts> {
    const slices = new Slices()
    const learned = new TopicFacts([])
    for (const { criteria } of topics.flatMap(({ triggers }) => triggers)) {
      if (criteria !== undefined) learned.#learn(criteria, before)
      await slices.pause()
    }
    return new TopicFacts(topics, learned)
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
          interactions.includes(interaction) &&
          criteria !== undefined &&
          this.#byText.get(criteria)?.usesPrevious === true,
      ),
    )
    const urls = topics.map(({ url }) => url)
    this.#usingPrevious.set(key, urls)
    return urls
  }

  #learn(text: string, before: TopicFacts | undefined): CriteriaFacts {
    const known = this.#byText.get(text) ?? (before && before.#byText.get(text))
    const facts = known ?? factsOf(text)
    this.#byText.set(text, facts)
    return facts
  }
}

function factsOf(text: string): CriteriaFacts {
  const { ast, issues } = checkSyntax(text)
  const [fault] = issues
  if (!ast || fault) {
    const place = fault?.position
      ? ` (line ${fault.position.line}, column ${fault.position.column})`
      : ''
    // Once it is corrected, the events that wait for it may need what was before them.
    return { fault: `${fault?.message ?? 'It is not FHIRPath.'}${place}`, usesPrevious: true }
  }
  return { fault: undefined, usesPrevious: asksForPrevious(ast) }
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
