import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { UndecidedDecisions } from '../../../src/delivery/undecided-decisions.ts'
import type { FhirHost, FhirResource } from '../../../src/host/types.ts'
import type { StoredUndecided } from '../../../src/outbox/undecided-events.ts'
import { parseSubscriptionTopic } from '../../../src/triggers/subscription-topic.ts'

function stored(id: number, body: object | string | null, topicId = 1): StoredUndecided {
  return {
    id: String(id),
    topicId,
    interaction: body === null ? 'delete' : 'update',
    resourceType: 'Patient',
    resourceId: `p${id}`,
    versionId: '2',
    at: new Date(),
    body: typeof body === 'object' && body !== null ? JSON.stringify(body) : body,
    previous: '{"resourceType":"Patient","active":true}',
    attempts: 1,
  }
}

function queues(fhirPathCriteria: string, organizations: readonly string[] = []) {
  const topic = parseSubscriptionTopic({
    resourceType: 'AidboxSubscriptionTopic',
    id: 't',
    url: 'u',
    status: 'active',
    trigger: [{ resource: 'Patient', fhirPathCriteria }],
  })
  const audience = {
    topicId: 1,
    criteria: 'name',
    organizations,
    moves: [],
    hasAtLeastOnce: true,
    bestEffort: [],
  }
  return new Map([[1, { topic, audience }]])
}

const noRead = (): Promise<never> => Promise.reject(new Error('nothing is to be read'))
const resource = (active: boolean): object => ({ resourceType: 'Patient', id: 'p', active })

describe('UndecidedDecisions', () => {
  it('decides by the stored change: its version, the one before it, its interaction', async () => {
    const decisions = new UndecidedDecisions(noRead)
    const { fired, notFired, kept } = await decisions.decide(
      [stored(1, resource(true)), stored(2, resource(false)), stored(3, null)],
      queues('%previous.active = true and (active = false or %current.empty())'),
    )
    assert.deepEqual([...fired.keys()], ['2', '3'])
    assert.deepEqual(notFired, ['1'])
    assert.deepEqual(kept, [])
  })

  it('keeps what it cannot decide, what is not JSON, and leaves other queues alone', async () => {
    const decisions = new UndecidedDecisions(noRead)
    const { fired, notFired, kept, count } = await decisions.decide(
      [stored(1, resource(true)), stored(2, '{"'), stored(3, resource(true), 2)],
      queues('active + 1 = 2'),
    )
    assert.deepEqual([fired.size, notFired.length, count], [0, 0, 3])
    assert.deepEqual(
      kept.map(({ id, criteria, retryInMs }) => [id, criteria, retryInMs]),
      [
        ['1', 'name', null],
        ['2', 'name', null],
      ],
    )
    assert.equal(kept[1]?.error, 'The stored change is not JSON.')
  })

  it('asks a host that cannot read once in a batch, and wants to try again after a while', async () => {
    let asked = 0
    const decisions = new UndecidedDecisions(() => {
      asked++
      return Promise.reject(new Error('no connection'))
    })
    const of = (id: number): StoredUndecided =>
      stored(id, {
        resourceType: 'Patient',
        managingOrganization: { reference: `Organization/${id}` },
      })
    const { kept } = await decisions.decide(
      [of(1), of(2), of(3)],
      queues('managingOrganization.resolve().active = true'),
    )
    assert.equal(asked, 1)
    for (const { error, retryInMs } of kept) {
      assert.equal(error, 'The references could not be read (Error).')
      assert.ok(retryInMs !== null && retryInMs >= 100 && retryInMs <= 200)
    }
    assert.equal(kept.length, 3)
    await decisions.decide([of(1)], queues('managingOrganization.resolve().active = true'))
    assert.equal(asked, 2)
  })

  describe('whose organization is not known', () => {
    const all: Readonly<Record<string, object | undefined>> = {
      'Organization/part-of-a-name': { partOf: { reference: 'the other one' } },
      ...Object.fromEntries(
        Array.from({ length: 40 }, (_, n) => [
          `Organization/level-${n}`,
          { partOf: { reference: `Organization/level-${n + 1}` } },
        ]),
      ),
      'Organization/wanted': {},
    }
    const read: FhirHost['read'] = (references) => {
      if (references.includes('Organization/unreadable')) {
        return Promise.reject(new Error('no connection'))
      }
      const found = references.map((each): [string, FhirResource] => [
        each,
        { resourceType: 'Organization', ...all[each] },
      ])
      return Promise.resolve(new Map(found))
    }
    const of = (id: string, elements: object = {}): object => ({
      resourceType: 'Patient',
      ...elements,
      meta: {
        extension: [
          {
            url: 'https://aidbox.app/tenant-organization-id',
            valueReference: { reference: `Organization/${id}` },
          },
        ],
      },
    })
    const decide = async (event: StoredUndecided, criteria: string) => {
      const wanted = queues(criteria, ['Organization/wanted'])
      const { kept, notFired } = await new UndecidedDecisions(read).decide([event], wanted)
      const [one] = kept
      return { error: one?.error, isRetried: typeof one?.retryInMs === 'number', notFired }
    }

    it('they are tried again when it could not be read', async () => {
      const { error, isRetried } = await decide(stored(1, of('unreadable')), 'true')
      assert.deepEqual([error, isRetried], ['The references could not be read (Error).', true])
    })

    it('they are not when no time will mend it', async () => {
      const deleted = { ...stored(1, null), previous: null }
      for (const [event, expected] of [
        [deleted, 'The organization of what was deleted is not known.'],
        [
          stored(1, of('part-of-a-name')),
          'An Organization.partOf is not of the form Organization/<id>.',
        ],
        [stored(1, of('level-0')), 'The hierarchy of organizations has more than 32 levels.'],
      ] as const) {
        const { error, isRetried } = await decide(event, '%current.empty() or true')
        assert.deepEqual([error, isRetried], [expected, false])
      }
    })

    it('a criteria that fails waits for it, too: it may not be the one', async () => {
      const elements = { name: [{ family: 'A' }, { family: 'B' }] }
      const fails = "name.family > 'M'"
      const open = await decide(stored(1, of('unreadable', elements)), fails)
      assert.match(open.error ?? '', /several items/)
      assert.equal(open.isRetried, true)
      const known = await decide(stored(1, of('wanted', elements)), fails)
      assert.equal(known.isRetried, false)
      const another = await decide(stored(1, of('other', elements)), fails)
      assert.deepEqual(another.notFired, ['1'])
    })
  })

  it('lets others have their turn between two events', async () => {
    const decisions = new UndecidedDecisions(noRead)
    let turns = 0
    const count = (): void => {
      turns++
      next = setImmediate(count)
    }
    let next = setImmediate(count)
    const events = Array.from({ length: 9 }, (_, index) => stored(index, resource(true)))
    await decisions.decide(events, queues('active = true'))
    clearImmediate(next)
    assert.ok(turns >= 9, String(turns))
  })

  it('ends a batch that takes long with what it has, at least one event', async () => {
    for (const [stepMs, expected] of [
      [1_000, 6],
      [60_000, 1],
    ] as const) {
      let nowMs = 0
      const decisions = new UndecidedDecisions(noRead, () => (nowMs += stepMs))
      const events = Array.from({ length: 9 }, (_, index) => stored(index, resource(true)))
      const { count, fired } = await decisions.decide(events, queues('active = true'))
      assert.deepEqual([count, fired.size], [expected, expected])
    }
  })
})
