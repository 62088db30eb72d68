import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { causeNamed } from '../../../src/kafka/kafka-causes.ts'
import { diagnose, type Movement } from '../../../src/monitor/health.ts'
import { RecentLosses } from '../../../src/monitor/recent-losses.ts'
import type { DestinationOverview } from '../../../src/outbox/destination-overview.ts'

const nowMs = Date.parse('2026-11-26T12:00:00Z')
const ago = (seconds: number): Date => new Date(nowMs - seconds * 1000)

const quiet: DestinationOverview = {
  destinationId: 1,
  reference: 'AidboxTopicDestination/a',
  topicUrl: 'http://example.org/topic',
  organization: undefined,
  kind: 'kafka-at-least-once',
  delivered: 10,
  failedAttempts: 0,
  inProcess: 0,
  queued: 0,
  dead: 0,
  undecided: 0,
  notKept: 0,
  notFired: 0,
  discarded: 0,
  lost: 0,
  exactlyOnce: true,
  exactlyOnceFault: undefined,
  startedAt: ago(3600),
  lastErrors: [],
  leader: { nodeId: 1, name: 'host:1' },
  lastFailure: undefined,
  oldestEventAt: undefined,
  lastEventNumber: 10,
  touchedAt: ago(5),
  checkpointTopic: undefined,
  settled: { low: '0', position: '0', snapshot: '1:1:', roundPosition: null, roundSnapshot: null },
}
const failure = (seconds: number) => ({ message: 'No broker.', timestamp: ago(seconds) })
const waits = (seconds: number, more: Partial<DestinationOverview> = {}) => ({
  queued: 3,
  oldestEventAt: ago(seconds),
  ...more,
})

const cases: readonly (readonly [
  string,
  Partial<DestinationOverview>,
  string,
  RegExp | undefined,
])[] = [
  ['nothing waits', {}, 'ok', undefined],
  ['events wait for a moment', waits(2), 'ok', undefined],
  [
    'the last thing was a failure',
    waits(20, { lastFailure: failure(8), touchedAt: ago(8) }),
    'stuck',
    /No broker/,
  ],
  ['it failed, and nothing waits', { lastFailure: failure(8), touchedAt: ago(8) }, 'ok', undefined],
  [
    'it has delivered since the failure',
    waits(20, { lastFailure: failure(30), touchedAt: ago(1) }),
    'ok',
    undefined,
  ],
  [
    'a backlog that is worked off',
    waits(300, { touchedAt: ago(1) }),
    'behind',
    /3 events waiting; delivery goes on/,
  ],
  [
    'a backlog that stands still',
    waits(300, { touchedAt: ago(200) }),
    'behind',
    /none was delivered lately/,
  ],
  ['nobody leads', waits(300, { leader: undefined }), 'behind', /no node delivers/],
  [
    'an old failure is not the present one',
    waits(300, { lastFailure: failure(180), touchedAt: ago(180) }),
    'behind',
    /lately/,
  ],
  ['dead letters', { dead: 1 }, 'attention', /^1 dead letter\.$/],
  ['both', { dead: 2, undecided: 1 }, 'attention', /^2 dead letters, 1 event undecided\.$/],
  [
    'many, as the pages write numbers',
    { dead: 1611, undecided: 20_000 },
    'attention',
    /^1,611 dead letters, 20,000 events undecided\.$/,
  ],
]

const active = { status: 'active', reason: undefined } as const
const bestEffort: Partial<DestinationOverview> = { kind: 'kafka-best-effort', lost: 4 }
const bestEffortCases: readonly (readonly [
  string,
  Partial<DestinationOverview>,
  Partial<Movement>,
  string,
])[] = [
  ['has lost none', { lost: 0 }, {}, 'ok'],
  ['loses', { lastErrors: [failure(10)] }, { lostAtMs: nowMs - 10_000 }, 'losing'],
  ['has lost long ago', { lastErrors: [failure(900)] }, { lostAtMs: nowMs - 900_000 }, 'ok'],
  [
    'has lost long ago, and was interrupted without a loss',
    { lastErrors: [failure(10)] },
    { lostAtMs: nowMs - 900_000 },
    'ok',
  ],
  [
    'will lose what waits',
    { lost: 0, inProcess: 10, lastErrors: [failure(10)] },
    { deliveredPerSecond: 0 },
    'stuck',
  ],
  ['was looked at once', { lost: 0, inProcess: 10, lastErrors: [failure(10)] }, {}, 'ok'],
  [
    'delivers again',
    { lost: 0, inProcess: 10, lastErrors: [failure(10)] },
    { deliveredPerSecond: 3 },
    'ok',
  ],
  ['waits for a moment', { lost: 0, inProcess: 10, lastErrors: [failure(200)] }, {}, 'ok'],
]

const movement: Movement = { nowMs, deliveredPerSecond: undefined, lostAtMs: undefined }

describe('how a destination does', () => {
  for (const [name, facts, health, why] of cases) {
    it(name, () => {
      const found = diagnose({ ...quiet, ...facts }, active, movement)
      assert.equal(found.health, health)
      if (why) assert.match(found.why ?? '', why)
      else assert.equal(found.why, undefined)
    })
  }

  for (const [name, facts, seen, health] of bestEffortCases) {
    it(`best effort that ${name}`, () => {
      const overview = { ...quiet, ...bestEffort, ...facts }
      assert.equal(diagnose(overview, active, { ...movement, ...seen }).health, health)
    })
  }

  it('says what to do about a cause that can be named, and about what was set aside', () => {
    const { message } = causeNamed('topic-unknown', { kafkaTopic: 'lab' })
    const lastFailure = { message, timestamp: ago(8) }
    const stuck = { ...quiet, ...waits(20, { lastFailure, touchedAt: ago(8) }) }
    assert.match(diagnose(stuck, active, movement).action ?? '', /^Create the topic, or correct/)
    const losing = { ...quiet, ...bestEffort, lastErrors: [lastFailure] }
    const found = diagnose(losing, active, { ...movement, lostAtMs: nowMs })
    assert.match(found.action ?? '', /^Create the topic, or correct/)
    const aside = diagnose({ ...quiet, dead: 1, undecided: 1 }, active, movement)
    assert.match(aside.action ?? '', /\$redrive.*Correct the criteria/)
    const alone = { ...quiet, ...waits(300, { leader: undefined }) }
    assert.match(diagnose(alone, active, movement).action ?? '', /database/)
    assert.equal(diagnose(quiet, active, movement).action, undefined)
  })

  it('takes the newest error for a loss at the first look, and only losses from then on', () => {
    const losses = new RecentLosses()
    const overview = { ...quiet, ...bestEffort, lastErrors: [failure(10)] }
    losses.add([overview])
    assert.equal(losses.lostAtMs(quiet.reference), nowMs - 10_000)
    losses.add([{ ...overview, lastErrors: [failure(5)] }])
    assert.equal(losses.lostAtMs(quiet.reference), nowMs - 10_000)
    losses.add([{ ...overview, lost: 5, lastErrors: [failure(5)] }])
    assert.equal(losses.lostAtMs(quiet.reference), nowMs - 5_000)
    losses.add([])
    assert.equal(losses.lostAtMs(quiet.reference), undefined)
  })

  it('is what its state says first', () => {
    const stuck = { ...quiet, ...waits(20, { lastFailure: failure(8), touchedAt: ago(8) }) }
    assert.deepEqual(diagnose(stuck, { status: 'error', reason: 'No topic.' }, movement), {
      health: 'error',
      why: 'No topic.',
    })
    assert.deepEqual(diagnose(stuck, { status: 'off', reason: undefined }, movement), {
      health: 'off',
      why: 'Paused; 3 events waiting.',
    })
  })
})
