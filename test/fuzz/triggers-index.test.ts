import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import * as fc from 'fast-check'
import type { Change, FhirResource } from '../../src/host/types.ts'
import { fhirPathEngine, type CriteriaEngine } from '../../src/triggers/criteria-engine.ts'
import { FhirPathSyntaxError, parseFhirPath } from '../../src/triggers/fhirpath-ast.ts'
import {
  guardsFor,
  planGuards,
  type Condition,
  type GuardPlan,
  type Guards,
} from '../../src/triggers/guards.ts'
import type { SubscriptionTopic } from '../../src/triggers/subscription-topic.ts'
import type { Ordering, Threshold } from '../../src/triggers/thresholds.ts'
import { TopicIndex, type MatchResult } from '../../src/triggers/topic-index.ts'
import { unknownPrevious } from '../../src/triggers/unknown-previous.ts'
import { PlainTopics, type PlainVerdict } from './plain-topics.ts'
import { operations, storedResources, type Operation } from './topic-operations.ts'

interface Comparison {
  readonly wrong: readonly string[]
  /** Topics that were held against a change. */
  readonly decisions: number
  readonly hits: number
}

/** What the index and plain evaluation disagree on. */
function compare(history: readonly Operation[], index: TopicIndex): Comparison {
  const plain = new PlainTopics()
  const wrong: string[] = []
  let decisions = 0
  let hits = 0
  for (const operation of history) {
    if ('put' in operation) {
      index.put(operation.put)
      plain.put(operation.put)
    } else if ('remove' in operation) {
      index.remove(operation.remove)
      plain.remove(operation.remove)
    } else {
      const { change } = operation
      const verdicts = plain.verdicts(change)
      const possible = versionsBefore(change, history).map((previous) =>
        plain.verdicts({ ...change, previous }),
      )
      const { fired, undecided, pending } = matchResolved(index, change)
      const found = new Map<string, string>([
        ...[...undecided, ...pending].map(({ topicUrl }) => [topicUrl, 'undecided'] as const),
        ...fired.map((url) => [url, 'fires'] as const),
      ])
      for (const url of new Set([...verdicts.keys(), ...found.keys()])) {
        const [ours = 'does not fire', theirs = 'does not fire'] = [
          found.get(url),
          verdicts.get(url),
        ]
        decisions++
        if (theirs === 'fires') hits++
        // Where plain evaluation fails, the index may decide without reaching the failing part, but only against firing. A comparison
        // alone has no other part.
        const isAllowed =
          theirs === 'undecided' && ours === 'does not fire' && !plain.onlyCompares(url)
        if (ours !== theirs && !isAllowed) wrong.push(`${url}: ${ours}, plainly ${theirs}`)
        const guessed = possible.find((each) => isOpposite(ours, each.get(url)))
        if (guessed) wrong.push(`${url}: ${ours}, though a version before would say otherwise`)
      }
      if (fired.length + undecided.length !== found.size) wrong.push('a topic is there twice')
    }
  }
  return { wrong, decisions, hits }
}

/** What may have been before a change when it is not known: versions of other changes of the type. */
function versionsBefore(
  { interaction, resourceType, previous }: Change,
  history: readonly Operation[],
): readonly FhirResource[] {
  if (interaction === 'create' || previous) return []
  return history.flatMap((operation) =>
    'change' in operation && operation.change.resourceType === resourceType
      ? (operation.change.current ?? [])
      : [],
  )
}

function isOpposite(ours: string, verdict: PlainVerdict | undefined): boolean {
  if (ours === 'fires') return verdict === 'does not fire'
  return ours === 'does not fire' && verdict === 'fires'
}

/** As `matchChanges` does it. */
function matchResolved(index: TopicIndex, change: Change): MatchResult {
  const resolved = new Map<string, FhirResource | undefined>()
  let result = index.match(change)
  for (let round = 0; round < 4 && result.pending.length > 0; round++) {
    for (const { references } of result.pending) {
      for (const each of references) resolved.set(each, storedResources.get(each))
    }
    result = index.match(change, resolved)
  }
  return result
}

const seed = Number(process.env['FUZZ_SEED'] ?? Date.now() % 2 ** 31)
const wanted = Number(process.env['FUZZ_DECISIONS'] ?? 20_000)
const runsPerBatch = 100

describe(`TopicIndex against plain evaluation by fhirpath.js (FUZZ_SEED=${seed})`, () => {
  it('fires the same topics', (t) => {
    let decisions = 0
    let hits = 0
    for (let batch = 0; ; batch++) {
      if (decisions >= wanted) break
      fc.assert(
        fc.property(operations, (history) => {
          const compared = compare(history, new TopicIndex())
          decisions += compared.decisions
          hits += compared.hits
          assert.deepEqual(compared.wrong, [])
        }),
        { seed: seed + batch, numRuns: runsPerBatch },
      )
    }
    t.diagnostic(`${decisions} decisions, ${hits} topics fired, seed ${seed}`)
    assert.ok(hits > decisions / 20, `only ${hits} hits: the inputs do not meet`)
  })

  const bugs: Readonly<Record<string, () => TopicIndex>> = {
    'forgets an alternative': plantingConditions((each) => ({
      ...each,
      values: each.values.slice(0, 1),
    })),
    'takes equalities for the whole criteria': planting((plan) => ({
      ...plan,
      conditions: plan.conditions.filter((part) => part.length > 0),
    })),
    'reads %previous as %current': plantingConditions((each) => ({ ...each, source: 'current' })),
    'reads %current as %previous': plantingConditions((each) => ({ ...each, source: 'previous' })),
    'takes an or that mixes = and exists() for an equality': plantingConditions((each) => ({
      ...each,
      isEquality: each.isEquality || each.values.length > 1,
    })),
    'takes exists() for an equality': plantingConditions((each) => ({ ...each, isEquality: true })),
    'takes every path for one to strings': indexWith((text) => () => {
      const { conditions } = planOf(text)
      const guards = conditions.flatMap(([first]) =>
        first && first.steps.length > 0 ? [first] : [],
      )
      return { guards, thresholds: [], isExact: false }
    }),
    'takes thresholds for the whole criteria': planting(({ thresholds, conditions }) => ({
      thresholds,
      conditions: thresholds.length > 0 ? [] : conditions,
    })),
    'forgets a threshold': planting((plan) => ({
      ...plan,
      thresholds: plan.thresholds.slice(0, 1),
    })),
    'takes >= for >': plantingOperators({ '>': '>=' }),
    'takes > for >=': plantingOperators({ '>=': '>' }),
    'takes <= for <': plantingOperators({ '<': '<=' }),
    'takes < for <=': plantingOperators({ '<=': '<' }),
    'forgets the sign of a limit': plantingThresholds((each) => ({
      ...each,
      limit: Math.abs(each.limit),
    })),
    'compares the first of several numbers': plantingThresholds((each) => ({
      ...each,
      path: `(${each.path}).first()`,
    })),
    'takes what is no number for nothing': plantingThresholds((each) => ({
      ...each,
      path: `(${each.path}).where($this is decimal or $this is integer)`,
    })),
    'compares the number of %previous as that of %current': plantingThresholds((each) => ({
      ...each,
      path: each.path.replace('%previous', '%current'),
    })),
    'knows one type only': indexWith((text) => () => guardsFor(planOf(text), 'Patient')),
    'takes a criteria that awaits a reference for false': () =>
      new TopicIndex({
        compile(text) {
          const real = fhirPathEngine.compile(text)
          return {
            facts: () => real.facts(),
            guards: (resourceType) => real.guards(resourceType),
            evaluate(change, resolved) {
              const verdict = real.evaluate(change, resolved)
              return verdict.kind === 'pending' ? { kind: 'decided', fires: false } : verdict
            },
          }
        },
      }),
    'takes a version before that is not known for one without elements': () =>
      new (class extends TopicIndex {
        override match(...[change, resolved]: Parameters<TopicIndex['match']>): MatchResult {
          const { resourceType } = change
          return super.match({ previous: { resourceType }, ...change }, resolved)
        }
      })(),
    'does not meet a criteria whose version before is not known': () =>
      new (class extends TopicIndex {
        override match(...[change, resolved]: Parameters<TopicIndex['match']>): MatchResult {
          const result = super.match(change, resolved)
          const isUnknown = change.interaction !== 'create' && !change.previous
          const undecided = result.undecided.filter(({ error }) => error !== unknownPrevious)
          return isUnknown ? { ...result, undecided } : result
        }
      })(),
    'leaves a removed topic in its group': () =>
      new (class extends TopicIndex {
        override remove(): void {
          // It stays.
        }
      })(),
    'removes a criteria with the first of its topics': () =>
      new (class extends TopicIndex {
        readonly #known = new Map<string, SubscriptionTopic>()
        override put(topic: SubscriptionTopic): void {
          super.put(topic)
          this.#known.set(topic.url, topic)
        }
        override remove(url: string): void {
          const texts = textsOf(this.#known.get(url))
          super.remove(url)
          for (const [other, topic] of this.#known) {
            if (textsOf(topic).some((text) => texts.includes(text))) super.remove(other)
          }
        }
      })(),
    'lets a topic fire by its last trigger only': alteringTopics((topic) => ({
      ...topic,
      triggers: topic.triggers.slice(-1),
    })),
    'does not look at the interaction': alteringTopics((topic) => ({
      ...topic,
      triggers: topic.triggers.map((trigger) => ({
        ...trigger,
        interactions: ['create', 'update', 'delete'],
      })),
    })),
    'takes Binary for a DomainResource': alteringTopics((topic) => ({
      ...topic,
      triggers: topic.triggers.map((trigger) =>
        trigger.resourceType === 'DomainResource' ? { ...trigger, resourceType: '*' } : trigger,
      ),
    })),
    'puts a trigger on every type on the types seen so far': () => {
      const seen = new Set<string>()
      return new (class extends TopicIndex {
        override put(topic: SubscriptionTopic): void {
          const triggers = topic.triggers.flatMap((trigger) =>
            trigger.resourceType === '*'
              ? [...seen].map((resourceType) => ({ ...trigger, resourceType }))
              : [trigger],
          )
          super.put({ ...topic, triggers })
        }
        override match(...[change, resolved]: Parameters<TopicIndex['match']>): MatchResult {
          seen.add(change.resourceType)
          return super.match(change, resolved)
        }
      })()
    },
  }
  for (const [bug, makeIndex] of Object.entries(bugs)) {
    it(`would find an index that ${bug}`, (t) => {
      const outcome = fc.check(
        fc.property(operations, (history) => compare(history, makeIndex()).wrong.length === 0),
        { seed, numRuns: 5000, endOnFailure: true },
      )
      t.diagnostic(`found in history ${outcome.numRuns}`)
      assert.ok(outcome.failed, 'the planted bug was not found')
    })
  }
})

function textsOf(topic: SubscriptionTopic | undefined): string[] {
  return (topic?.triggers ?? []).flatMap(({ criteria }) => criteria ?? [])
}

function planOf(text: string): GuardPlan {
  try {
    return planGuards(text, parseFhirPath(text))
  } catch (error) {
    if (error instanceof FhirPathSyntaxError) return { thresholds: [], conditions: [] }
    throw error
  }
}

/** An index whose guards have a bug. */
function indexWith(guardsOf: (text: string) => (resourceType: string) => Guards): () => TopicIndex {
  const engine: CriteriaEngine = {
    compile(text) {
      const real = fhirPathEngine.compile(text)
      return {
        facts: () => real.facts(),
        guards: guardsOf(text),
        evaluate: (change, resolved) => real.evaluate(change, resolved),
      }
    },
  }
  return () => new TopicIndex(engine)
}

function planting(plant: (plan: GuardPlan) => GuardPlan): () => TopicIndex {
  return indexWith((text) => (resourceType) => guardsFor(plant(planOf(text)), resourceType))
}

function plantingConditions(plant: (condition: Condition) => Condition): () => TopicIndex {
  return planting(({ thresholds, conditions }) => ({
    thresholds,
    conditions: conditions.map((part) => part.map(plant)),
  }))
}

function plantingThresholds(plant: (threshold: Threshold) => Threshold): () => TopicIndex {
  return planting(({ thresholds, conditions }) => ({
    thresholds: thresholds.map(plant),
    conditions,
  }))
}

function plantingOperators(instead: { readonly [Operator in Ordering]?: Ordering }) {
  return plantingThresholds((each) => ({
    ...each,
    operator: instead[each.operator] ?? each.operator,
  }))
}

function alteringTopics(alter: (topic: SubscriptionTopic) => SubscriptionTopic): () => TopicIndex {
  return () =>
    new (class extends TopicIndex {
      override put(topic: SubscriptionTopic): void {
        super.put(alter(topic))
      }
    })()
}
