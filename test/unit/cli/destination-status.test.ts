import assert from 'node:assert/strict'
import type { ServerResponse } from 'node:http'
import { describe, it } from 'node:test'
import {
  needsAttention,
  verdictOf,
  verdictText,
  type DestinationStatus,
} from '../../../src/cli/fhir/destination-status.ts'
import { json, parameters, run } from './answering-server.ts'

const nowMs = Date.parse('2026-11-26T12:00:00Z')
const failed = (secondsAgo: number) => ({
  lastErrorDetail: [
    { message: 'newest.', timestamp: new Date(nowMs - secondsAgo * 1000).toISOString() },
    { message: 'older', timestamp: '2026-11-26T10:00:00Z' },
  ],
})

describe('the verdict on a destination', () => {
  const cases: readonly (readonly [string, DestinationStatus, string, boolean])[] = [
    ['delivers', { status: 'active', messagesQueued: 3 }, 'ok', false],
    ['has a fault', { status: 'error', statusReason: 'no topic' }, 'error: no topic', true],
    ['is stuck', { messagesQueued: 1, ...failed(60) }, 'stuck: newest (60 s ago)', true],
    [
      'is in a transaction',
      { messagesInProcess: 1, ...failed(12) },
      'stuck: newest (12 s ago)',
      true,
    ],
    [
      'is stuck and has dead letters',
      { messagesQueued: 1, messagesDead: 1, ...failed(12) },
      'stuck: newest (12 s ago); 1 dead letter waits for a person',
      true,
    ],
    ['was stuck', { status: 'active', messagesQueued: 0, ...failed(60) }, 'ok', false],
    ['failed long ago', { status: 'active', messagesQueued: 1, ...failed(121) }, 'ok', false],
    ['loses events', { messagesLost: 1, ...failed(299) }, 'losing: newest (4 min ago)', true],
    ['has lost some', { status: 'active', messagesLost: 1, ...failed(301) }, 'ok', false],
    ['has lost undecided ones', { messagesLost: 1, messagesUndecided: 1 }, 'ok', false],
    [
      'has dead letters',
      { status: 'active', messagesDead: 3, messagesUndecided: 1, ...failed(7200) },
      'attention: 3 dead letters, 1 undecided event wait for a person; newest error: newest (2 h ago)',
      true,
    ],
    [
      'is paused',
      { status: 'off', messagesQueued: 9, ...failed(1) },
      'off: 9 events waiting',
      false,
    ],
    [
      'is paused with dead letters',
      { status: 'off', messagesDead: 1 },
      'off: 1 dead letter waits for a person',
      true,
    ],
    ['is before the clock', { messagesQueued: 1, ...failed(-5) }, 'stuck: newest (0 s ago)', true],
  ]
  for (const [what, status, text, needsSomebody] of cases) {
    it(`that ${what}`, () => {
      assert.equal(verdictText(verdictOf(status, nowMs)), text)
      assert.equal(needsAttention(status, nowMs), needsSomebody)
    })
  }
})

it('a cause that can be named comes with what to do, in the verdict and in what is printed', async (t) => {
  const message =
    'Unknown topic: Kafka topic "lab" does not exist and the cluster does not create it.'
  const timestamp = new Date().toISOString()
  const { action } = verdictOf(
    { messagesQueued: 1, lastErrorDetail: [{ message, timestamp }] },
    Date.parse(timestamp),
  )
  assert.match(action ?? '', /^Create the topic/)
  const { out } = await run(
    t,
    ['status', 'd'],
    [
      json(
        parameters(
          { name: 'messagesQueued', valueDecimal: 1 },
          {
            name: 'lastErrorDetail',
            part: [
              { name: 'message', valueString: message },
              { name: 'timestamp', valueDateTime: timestamp },
            ],
          },
        ),
      ),
    ],
  )
  assert.match(out, /^stuck: Unknown topic.*\nWhat to do: Create the topic/)
  assert.equal(verdictOf({ messagesQueued: 1, ...failed(1) }, nowMs).action, undefined)
})

const statusOf = (values: Readonly<Record<string, string | number>>, error?: string): object =>
  parameters(
    ...Object.entries(values).map(([name, value]) =>
      typeof value === 'string' ? { name, valueString: value } : { name, valueDecimal: value },
    ),
    ...(error === undefined
      ? []
      : [
          {
            name: 'lastErrorDetail',
            part: [
              { name: 'message', valueString: error },
              { name: 'timestamp', valueDateTime: new Date().toISOString() },
            ],
          },
        ]),
  )

describe('fhir-kafka destinations', () => {
  it('shows what needs somebody first, and all that waits', async (t) => {
    const entry = ['a', 'b', 'c', 'd'].map((id) => ({
      resource: { resourceType: 'AidboxTopicDestination', id, kind: 'kafka-best-effort' },
    }))
    const { code, out } = await run(
      t,
      ['destinations'],
      [
        json({ resourceType: 'Bundle', entry }),
        json(statusOf({ status: 'active', messagesInProcess: 0, messagesLost: 0 })),
        json(statusOf({ status: 'off', messagesInProcess: 0, messagesQueued: 0, messagesDead: 1 })),
        json(statusOf({ status: 'active', messagesInProcess: 10, messagesLost: 0 }, 'no broker')),
        json(statusOf({ status: 'active', messagesInProcess: 1, messagesQueued: 2 })),
      ],
    )
    assert.equal(code, 2)
    const rows = out.trimEnd().split('\n').slice(1)
    const cells = rows.map((row) => row.split(/ {2,}/))
    assert.deepEqual(
      cells.map(([id, , state, waiting]) => [id, state, waiting]),
      [
        ['c', 'stuck', '10'],
        ['b', 'off', '0'],
        ['a', 'ok', '0'],
        ['d', 'ok', '3'],
      ],
    )
    assert.match(rows[0] ?? '', / no broker \(\d+ s ago\)$/)
    assert.match(rows[1] ?? '', / 1 dead letter waits for a person$/)
  })
})

describe('fhir-kafka status', () => {
  it('says the verdict first, but not in JSON', async (t) => {
    const stuck = json(statusOf({ status: 'active', messagesQueued: 1 }, 'no broker'))
    const { code, out } = await run(t, ['status', 'd'], [stuck])
    assert.equal(code, 2)
    assert.match(out, /^stuck: no broker \(\d+ s ago\)\nstatus: active\n/)
    const asJson = await run(t, ['status', 'd', '--json'], [stuck])
    assert.match(asJson.out, /^\{/)
  })

  it('watched shows what has changed, with its time', async (t) => {
    t.mock.timers.enable({ apis: ['Date'], now: nowMs })
    const stop = new AbortController()
    const look = (messagesQueued: number) => (response: ServerResponse) => {
      t.mock.timers.tick(1000)
      const error = messagesQueued > 0 ? 'no broker' : undefined
      json(statusOf({ messagesQueued }, error))(response)
    }
    const last = (response: ServerResponse) => {
      stop.abort()
      response.end()
    }
    const answers = [look(1), look(1), look(0), last]
    const { code, out } = await run(t, ['status', 'd', '--watch'], answers, {
      stopped: () => stop.signal,
    })
    assert.equal(code, 0)
    const blocks = out.split(/^--- /m).filter(Boolean)
    assert.deepEqual(
      blocks.map((block) => block.split('\n').slice(0, 3)),
      [
        ['2026-11-26T12:00:01Z', 'stuck: no broker (0 s ago)', 'messagesQueued: 1'],
        ['2026-11-26T12:00:03Z', 'ok', 'messagesQueued: 0'],
      ],
    )
  })
})
