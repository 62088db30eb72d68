import { compile } from 'fhirpath'
import r4 from 'fhirpath/fhir-context/r4'
import type { Change, FhirResource } from '../../src/host/types.ts'
import type { SubscriptionTopic, TopicTrigger } from '../../src/triggers/subscription-topic.ts'
import { FhirPathSyntaxError, parseFhirPath, unwrap } from '../../src/triggers/fhirpath-ast.ts'
import { storedResources } from './topic-operations.ts'

export type PlainVerdict = 'fires' | 'does not fire' | 'undecided'

type Evaluate = (resource: unknown, variables: object) => unknown[]

/** What {@link TopicIndex} must come to: every criteria of every topic is evaluated by fhirpath.js, with nothing of ours. One that asks for a
 *  version before the change that is not known is undecided. */
export class PlainTopics {
  readonly #topics = new Map<string, SubscriptionTopic>()
  readonly #compiled = new Map<string, Evaluate | undefined>()

  put(topic: SubscriptionTopic): void {
    this.#topics.set(topic.url, topic)
  }

  remove(url: string): void {
    this.#topics.delete(url)
  }

  verdicts(change: Change): ReadonlyMap<string, PlainVerdict> {
    return new Map(
      [...this.#topics.values()].map((topic) => [
        topic.url,
        joined(
          topic.triggers
            .filter((trigger) => isMeant(trigger, change))
            .map((trigger) => this.#verdict(trigger, change)),
        ),
      ]),
    )
  }

  /** Whether each trigger of the topic is one comparison by order. */
  onlyCompares(url: string): boolean {
    return (this.#topics.get(url)?.triggers ?? []).every(
      ({ criteria }) => criteria !== undefined && isComparison(criteria),
    )
  }

  #verdict({ criteria }: TopicTrigger, change: Change): PlainVerdict {
    if (criteria === undefined) return 'fires'
    const isUnknown = change.interaction !== 'create' && !change.previous
    if (isUnknown && /%`?previous/.test(criteria)) return 'undecided'
    const evaluate = this.#evaluator(criteria)
    const [current, previous] = [change.current ?? [], change.previous ?? []]
    const variables = { current, previous, resource: current, rootResource: current }
    try {
      const result = evaluate?.(current, variables)
      if (result?.length === 0) return 'does not fire'
      const [value] = result ?? []
      const plain = typeof value === 'object' ? (value as { data?: unknown }).data : value
      if (result?.length !== 1 || typeof plain !== 'boolean') return 'undecided'
      return plain ? 'fires' : 'does not fire'
    } catch {
      return 'undecided'
    }
  }

  #evaluator(criteria: string): Evaluate | undefined {
    if (!this.#compiled.has(criteria)) {
      let evaluate: Evaluate | undefined
      try {
        evaluate = compile(criteria, r4, {
          resolveInternalTypes: false,
          userInvocationTable: { resolve: { arity: { 0: [] }, fn: resolve } },
        }) as Evaluate
      } catch {
        evaluate = undefined
      }
      this.#compiled.set(criteria, evaluate)
    }
    return this.#compiled.get(criteria)
  }
}

function isComparison(criteria: string): boolean {
  try {
    return unwrap(parseFhirPath(criteria)).type === 'InequalityExpression'
  } catch (error) {
    if (error instanceof FhirPathSyntaxError) return false
    throw error
  }
}

function resolve(items: readonly { readonly reference?: string }[]): FhirResource[] {
  return items.flatMap(({ reference }) => storedResources.get(reference ?? '') ?? [])
}

function isMeant({ resourceType, interactions }: TopicTrigger, change: Change): boolean {
  const isType =
    resourceType === '*' ||
    resourceType === change.resourceType ||
    (resourceType === 'DomainResource' && change.resourceType !== 'Binary')
  return isType && interactions.includes(change.interaction)
}

function joined(verdicts: readonly PlainVerdict[]): PlainVerdict {
  if (verdicts.includes('fires')) return 'fires'
  return verdicts.includes('undecided') ? 'undecided' : 'does not fire'
}
