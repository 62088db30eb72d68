import assert from 'node:assert/strict'
import { beforeEach, describe, it } from 'node:test'
import type { Change, FhirHost, FhirResource, Interaction, SqlTx } from '../../../src/host/types.ts'
import { matchChanges } from '../../../src/triggers/match-changes.ts'
import { parseSubscriptionTopic } from '../../../src/triggers/subscription-topic.ts'
import { TopicIndex } from '../../../src/triggers/topic-index.ts'
import { deepFreeze, readFixture } from './fixtures.ts'

interface Documented {
  resourceType: string
  criteria: string
  references?: Record<string, FhirResource>
  changes: {
    interaction: Interaction
    current?: FhirResource
    previous?: FhirResource
    fires: boolean
  }[]
}

const documented = await readFixture<Documented[]>('criteria/documented.json')

function indexOf(...criteria: [resource: string, fhirPathCriteria: string][]): TopicIndex {
  const index = new TopicIndex()
  for (const [i, [resource, fhirPathCriteria]] of criteria.entries()) {
    index.put(
      parseSubscriptionTopic({
        resourceType: 'AidboxSubscriptionTopic',
        id: `t${i}`,
        url: `t${i}`,
        status: 'active',
        trigger: [{ resource, fhirPathCriteria }],
      }),
    )
  }
  return index
}

describe('matchChanges', () => {
  let log: string[]
  let tx: SqlTx
  let stored: Map<string, FhirResource>
  const read: FhirHost['read'] = (references, inTx) => {
    assert.equal(inTx, tx)
    log.push(`read ${references.join(' ')}`)
    return Promise.resolve(new Map([...stored].filter(([key]) => references.includes(key))))
  }

  beforeEach(() => {
    log = []
    stored = new Map()
    tx = {
      query: (text) => {
        log.push(text)
        return Promise.resolve({ rows: [], rowCount: 0 })
      },
    }
  })

  it('pauses after each criteria of one change', async () => {
    const index = indexOf(
      ['Patient', 'name.exists()'],
      ['Patient', 'active.exists()'],
      ['Patient', 'gender.exists()'],
    )
    const current = { resourceType: 'Patient', id: 'p', active: true }
    let pauses = 0
    const [match] = await matchChanges(
      index,
      [{ interaction: 'create', resourceType: 'Patient', id: 'p', current }],
      tx,
      read,
      {
        pause: () => {
          pauses++
          return Promise.resolve()
        },
      },
    )
    assert.deepEqual(match?.fired, ['t1'])
    assert.ok(pauses >= 3, `${pauses} pauses`)
  })

  for (const { resourceType, criteria, references, changes } of documented) {
    for (const { fires, ...states } of changes) {
      it(`${fires ? 'fires' : 'does not fire'} ${criteria} on ${JSON.stringify(states)}`, async () => {
        stored = new Map(Object.entries(references ?? {}))
        const change: Change = deepFreeze({ resourceType, id: '1', ...states })
        const matches = await matchChanges(indexOf([resourceType, criteria]), [change], tx, read)
        assert.deepEqual(matches, [{ change, fired: fires ? ['t0'] : [], undecided: [] }])
      })
    }
  }

  const encounter = (id: string, subject: string): Change => ({
    interaction: 'create',
    resourceType: 'Encounter',
    id,
    current: { resourceType: 'Encounter', id, status: 'finished', subject: { reference: subject } },
  })
  const patient = (id: string, elements: object = {}): FhirResource => ({
    resourceType: 'Patient',
    id,
    active: true,
    ...elements,
  })
  const active: [string, string] = ['Encounter', 'subject.resolve().active']

  it('reads once for all changes, under a savepoint', async () => {
    stored = new Map([['Patient/a', patient('a')]])
    const changes = [
      encounter('1', 'Patient/a'),
      encounter('2', 'Patient/b'),
      encounter('3', 'Patient/a'),
    ]
    const matches = await matchChanges(indexOf(active), changes, tx, read)
    assert.deepEqual(
      matches.map(({ fired }) => fired),
      [['t0'], [], ['t0']],
    )
    assert.deepEqual(log, [
      'savepoint topic_destination_resolve',
      'read Patient/a Patient/b',
      'release savepoint topic_destination_resolve',
    ])
  })

  it('does no I/O when a guard already says no', async () => {
    const criteria = "status = 'planned' and subject.resolve().active"
    await matchChanges(indexOf(['Encounter', criteria]), [encounter('1', 'Patient/a')], tx, read)
    assert.deepEqual(log, [])
  })

  it('resolves changes of the same unit from memory, deleted ones to nothing', async () => {
    const changes: Change[] = [
      { interaction: 'create', resourceType: 'Patient', id: 'new', current: patient('new') },
      { interaction: 'delete', resourceType: 'Patient', id: 'gone', previous: patient('gone') },
      encounter('1', 'Patient/new'),
      encounter('2', 'Patient/gone'),
    ]
    const matches = await matchChanges(indexOf(active), changes, tx, read)
    assert.deepEqual(
      matches.map(({ fired }) => fired),
      [[], [], ['t0'], []],
    )
    assert.deepEqual(log, [])
  })

  it('follows references over three rounds and gives up after that', async () => {
    const link = (to: string): object => ({
      managingOrganization: { reference: `Organization/${to}` },
    })
    const organization = (id: string, parent: string): FhirResource => ({
      resourceType: 'Organization',
      id,
      active: true,
      partOf: { reference: `Organization/${parent}` },
    })
    stored = new Map([
      ['Patient/a', patient('a', link('1'))],
      ['Organization/1', organization('1', '2')],
      ['Organization/2', organization('2', '3')],
      ['Organization/3', organization('3', '4')],
    ])
    const three = 'subject.resolve().managingOrganization.resolve().partOf.resolve().active'
    const four = three.replace('.active', '.partOf.resolve().active')
    const index = indexOf(['Encounter', three], ['Encounter', four])
    const [match] = await matchChanges(index, [encounter('1', 'Patient/a')], tx, read)
    assert.deepEqual(match?.fired, ['t0'])
    assert.deepEqual(match.undecided, [
      { topicUrl: 't1', error: 'resolve() needs more than 3 rounds of reading.' },
    ])
    assert.equal(log.filter((line) => line.startsWith('read')).length, 3)
  })

  it('leaves the topic undecided when the read fails, and the transaction usable', async () => {
    const failure = Object.assign(new Error('row SECRET'), { code: '57014' })
    const index = indexOf(active, ['Encounter', "status = 'finished'"])
    const failing: FhirHost['read'] = () => Promise.reject(failure)
    const [match] = await matchChanges(index, [encounter('1', 'Patient/a')], tx, failing)
    assert.deepEqual(match?.fired, ['t1'])
    assert.deepEqual(match.undecided, [
      { topicUrl: 't0', error: 'The references could not be read (57014).', isTransient: true },
    ])
    assert.deepEqual(log, [
      'savepoint topic_destination_resolve',
      'rollback to savepoint topic_destination_resolve',
      'release savepoint topic_destination_resolve',
    ])
  })

  it('says so when the host cannot read', async () => {
    const [match] = await matchChanges(
      indexOf(active),
      [encounter('1', 'Patient/a')],
      undefined,
      undefined,
    )
    assert.deepEqual(match?.undecided, [
      { topicUrl: 't0', error: 'This server cannot resolve references.' },
    ])
  })
})
