import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import type { Change, FhirResource, PastChange } from '../../../src/host/types.ts'
import { observedEngine } from '../../../src/triggers/criteria-engine.ts'
import { criteriaLimits } from '../../../src/triggers/criteria-language.ts'
import { explainTopic } from '../../../src/triggers/explain-topic.ts'
import { matchChanges } from '../../../src/triggers/match-changes.ts'
import { replayHistory } from '../../../src/triggers/replay-history.ts'
import { parseSubscriptionTopic } from '../../../src/triggers/subscription-topic.ts'
import { budgetSpent } from '../../../src/triggers/topic-budgets.ts'
import { TopicIndex, type MatchResult } from '../../../src/triggers/topic-index.ts'
import { hostileResources } from '../../helpers/hostile-criteria.ts'

const { maxSteps, maxTopicEvaluations, maxReferences } = criteriaLimits

function topicOf(url: string, ...criteria: readonly string[]) {
  return parseSubscriptionTopic({
    resourceType: 'AidboxSubscriptionTopic',
    id: url,
    url,
    status: 'active',
    trigger: criteria.map((fhirPathCriteria) => ({ resource: 'Patient', fhirPathCriteria })),
  })
}

/** Each goes on until its own fuel is used up, which leaves it undecided. */
const endless = (n: number): string =>
  `name.where(%current.name.where(given = 'z${n}').exists()).exists()`
/** Each takes a part of that, and does not fire. */
const long = (n: number): string =>
  `name.where(%current.name.take(40).exists(given = 'z${n}')).exists()`
const many = (of: (n: number) => string, count: number): string[] =>
  Array.from({ length: count }, (_, n) => of(n))
/** `zz` stands behind all others, `a` before them. */
const firesLast = "zz.exists() or 'zz' = 'zz'"
const firesFirst = "active.exists() or 'a' = 'a'"

const change: PastChange = {
  interaction: 'create',
  resourceType: 'Patient',
  id: 'p',
  versionId: '1',
  at: new Date('2026-01-01T00:00:00Z'),
  current: hostileResources.names,
}

/** What a change comes to, and the steps that it took. */
function matched(
  ...topics: readonly ReturnType<typeof topicOf>[]
): MatchResult & { readonly steps: number; readonly evaluations: number } {
  let [steps, evaluations] = [0, 0]
  const index = new TopicIndex(
    observedEngine({
      onEvaluated: (evaluation) => {
        steps += evaluation.steps
        evaluations++
      },
    }),
  )
  for (const topic of topics) index.put(topic)
  return { ...index.match(change), steps, evaluations }
}

const undecided = (topicUrl: string) => ({ topicUrl, error: budgetSpent })

describe('the budget of a topic', () => {
  it('bounds the steps of all its criteria for one change: 500 take no more than eleven', () => {
    const result = matched(topicOf('t', ...many(endless, 500)))
    assert.deepEqual([result.fired, result.undecided], [[], [undecided('t')]])
    assert.equal(result.evaluations, maxTopicEvaluations)
    assert.ok(result.steps <= maxTopicEvaluations * (maxSteps + 1), String(result.steps))
    const cheaper = matched(topicOf('t', ...many(long, 500)))
    assert.deepEqual(cheaper.undecided, [undecided('t')])
    assert.ok(cheaper.evaluations > maxTopicEvaluations, String(cheaper.evaluations))
    assert.ok(cheaper.steps <= (maxTopicEvaluations + 1) * maxSteps, String(cheaper.steps))
  })

  it('is spent when there is something left to evaluate, not before', () => {
    const just = matched(topicOf('t', ...many(endless, maxTopicEvaluations)))
    assert.match(just.undecided[0]?.error ?? '', /takes more than 20000 steps/)
    assert.equal(just.evaluations, maxTopicEvaluations)
  })

  it('does not take back that a criteria fires, nor what the index decides alone', () => {
    const first = matched(topicOf('t', firesFirst, ...many(endless, 500)))
    assert.deepEqual([first.fired, first.undecided], [['t'], []])
    const exact = matched(topicOf('t', ...many(endless, 500), "id = 'patient-50'"))
    assert.deepEqual([exact.fired, exact.undecided], [['t'], []])
    const notReached = matched(topicOf('t', ...many(endless, 500), firesLast))
    assert.deepEqual([notReached.fired, notReached.undecided], [[], [undecided('t')]])
  })

  it('is its own: other topics are decided beside it, also by the same criteria', () => {
    const result = matched(
      topicOf('big', ...many(endless, 500), firesLast),
      topicOf('small', firesLast),
      topicOf('other', ...many(endless, 3), firesLast),
    )
    assert.deepEqual([...result.fired].toSorted(), ['other', 'small'])
    assert.deepEqual(result.undecided, [undecided('big')])
    // One of the three of `other` stands behind those that `big` came to.
    assert.equal(result.evaluations, maxTopicEvaluations + 2)
  })

  it('ends at the same criteria whatever else is in the index, and in $explain and $dry-run', async () => {
    for (const fires of [firesFirst, firesLast, long(499)]) {
      const topic = topicOf('t', ...many(long, 60), fires, "name.exists(use = 'official') and zz")
      const alone = matched(topic)
      const beside = matched(
        topicOf('before', ...many(long, 30).toReversed(), ...many(endless, 7)),
        ...many((n) => `name.exists(use = 'u${n}')`, 30).map((text, n) => topicOf(`n${n}`, text)),
        topic,
        topicOf('after', ...many(long, 90).slice(20)),
      )
      const of = ({ fired, undecided: open }: Pick<MatchResult, 'fired' | 'undecided'>) => [
        fired.includes('t'),
        open.find(({ topicUrl }) => topicUrl === 't')?.error,
      ]
      assert.deepEqual(of(beside), of(alone))
      const explained = await explainTopic(topic, change, undefined)
      assert.deepEqual([explained.fires ?? false, explained.error], of(alone))
      const replay = await replayHistory(topic, changes(change), {
        maxChanges: 1,
        maxSamples: 1,
        signal: new AbortController().signal,
        read: () => assert.fail('nothing is to be read'),
        now: () => 0,
      })
      assert.deepEqual([replay.fired > 0, replay.errors[0]?.message], of(alone))
    }
  })

  it('counts references, too', async () => {
    const index = new TopicIndex()
    const text = (n: number): string =>
      `contact.organization.resolve().where(id = 'x${n}').exists()`
    index.put(topicOf('t', ...many(text, 30)))
    const contact = Array.from({ length: maxReferences }, (_, n) => ({
      organization: { reference: `Organization/${n}` },
    }))
    const current: FhirResource = { resourceType: 'Patient', id: 'p', contact }
    const of: Change = { interaction: 'create', resourceType: 'Patient', id: 'p', current }
    const [match] = await matchChanges(index, [of], undefined, () => Promise.resolve(new Map()))
    assert.deepEqual(match?.undecided, [undecided('t')])
  })
})

async function* changes(...all: readonly PastChange[]): AsyncGenerator<PastChange> {
  for (const each of all) yield await Promise.resolve(each)
}
