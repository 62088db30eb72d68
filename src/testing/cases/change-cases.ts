import { randomUUID } from 'node:crypto'
import type { Change, FhirResource } from '../../host/types.ts'
import { until, type CaseRun } from '../case-run.ts'
import type { CaseSpec } from './case-spec.ts'
import { expect, expectEqual, settle } from '../expect.ts'

export const changeCases: readonly CaseSpec[] = [
  {
    name: 'a create is recorded with the resource as stored',
    requires: [],
    async prove(run) {
      const { resourceType, id } = await run.create('first')
      const change = onlyCommitted(run)
      expectEqual(
        [change.interaction, change.resourceType, change.id],
        ['create', resourceType, id],
        'Record interaction, resourceType and id of the write.',
      )
      expectEqual(change.previous, undefined, 'A create has no previous version.')
      await expectStored(run, change)
    },
  },
  {
    name: 'an update is recorded with the version before it',
    requires: [],
    async prove(run) {
      const { id } = await run.create('first')
      const created = onlyCommitted(run)
      run.probe.calls.length = 0
      await run.update(id, 'second')
      const change = onlyCommitted(run)
      expectEqual([change.interaction, change.id], ['update', id], 'A PUT is an update.')
      expectEqual(change.previous, created.current, 'previous is the version before, as stored.')
      await expectStored(run, change)
      expect(
        change.current?.meta?.versionId !== change.previous?.meta?.versionId,
        'current must have the meta of the new version, not the one of the version before.',
        change,
      )
    },
  },
  {
    name: 'a PATCH is recorded as an update',
    requires: ['patch'],
    async prove(run) {
      const { id } = await run.create('first')
      const created = onlyCommitted(run)
      run.probe.calls.length = 0
      await run.patch(id, '/language', 'en')
      const change = onlyCommitted(run)
      expectEqual(change.interaction, 'update', 'A PATCH of every kind is an update.')
      expectEqual(change.previous, created.current, 'previous is the version before the PATCH.')
      expectEqual(change.current?.['language'], 'en', 'current is the resource after the PATCH.')
      await expectStored(run, change)
    },
  },
  {
    name: 'a delete is recorded without current',
    requires: [],
    async prove(run) {
      const stored = await run.create('doomed')
      const created = onlyCommitted(run)
      run.probe.calls.length = 0
      await run.delete(stored)
      const change = onlyCommitted(run)
      expectEqual([change.interaction, change.id], ['delete', stored.id], 'A DELETE is a delete.')
      expectEqual(
        [change.current, change.currentJson],
        [undefined, undefined],
        'A delete leaves no current version.',
      )
      expectEqual(change.previous, created.current, 'previous of a delete is the last version.')
      expect(
        change.versionId === undefined ||
          (typeof change.versionId === 'string' && change.versionId !== created.versionId),
        'versionId of a delete is the version of the deletion as a string, or absent.',
        change.versionId,
      )
    },
  },
  {
    name: 'an update of an id that is not there is recorded as a create',
    requires: ['updateAsCreate'],
    async prove(run) {
      const id = randomUUID()
      await run.update(id, 'put')
      const change = onlyCommitted(run)
      expectEqual(
        [change.interaction, change.id],
        ['create', id],
        'A PUT that creates is a create.',
      )
      expectEqual(change.previous, undefined, 'A create has no previous version.')
      await expectStored(run, change)
    },
  },
  {
    name: 'an update of a deleted resource is recorded as a create',
    requires: ['updateAsCreate'],
    async prove(run) {
      const stored = await run.given('deleted')
      await run.delete(stored)
      run.probe.calls.length = 0
      await run.update(stored.id, 'again')
      const change = onlyCommitted(run)
      expectEqual(
        change.interaction,
        'create',
        'A write that brings a deleted resource back is a create.',
      )
      expectEqual(change.previous, undefined, 'A deleted resource is no previous version.')
      await expectStored(run, change)
    },
  },
  {
    name: 'previous is read under the row lock: updates side by side make an unbroken chain',
    requires: ['sqlTransactions'],
    async prove(run) {
      const { id } = await run.create('0')
      const racers: Promise<unknown>[] = []
      run.probe.inBeforeCommit = async ({ changes }, tx) => {
        if (racers.length > 0 || changes[0]?.interaction !== 'update') return
        const answer = await tx?.query<{ pid: number }>('select pg_backend_pid() as pid')
        let isSettled = false
        racers.push(settle(run.update(id, '2')).finally(() => (isSettled = true)))
        // This transaction stays open until the other one waits for it, with its `previous` read or not.
        await until(
          async () => isSettled || (await isBlocking(run, answer?.rows[0]?.pid)),
          'An update beside an open transaction neither waited for it nor ended. Give the host a pool of at least three connections.',
        )
      }
      await run.update(id, '1')
      await Promise.all(racers)
      expectChain(run.probe.committed)
    },
  },
  {
    name: 'all writes of a transaction are one unit, in their order',
    requires: ['transactions'],
    async prove(run) {
      const existing = await run.given('existing')
      let created = ''
      await run.transaction(async (writes) => {
        created = (await run.create('one', writes)).id
        await run.update(created, 'two', writes)
        await run.update(existing.id, 'three', writes)
        await run.delete(existing, writes)
      })
      const changes = run.probe.committed
      expectEqual(
        changes.map(({ interaction, id }) => `${interaction} ${id}`),
        [
          `create ${created}`,
          `update ${created}`,
          `update ${existing.id}`,
          `delete ${existing.id}`,
        ],
        'Record every write of a transaction, in the order they were made, two of one resource too.',
      )
      expectEqual(
        [changes[1]?.previous, changes[3]?.previous],
        [changes[0]?.current, changes[2]?.current],
        'previous of the second write of a resource is what the first one wrote in the same transaction.',
      )
      await expectStored(run, changes[1])
    },
  },
  {
    name: 'a change stays as it was recorded',
    requires: [],
    async prove(run) {
      const { id } = await run.create('first')
      await run.update(id, 'second')
      await run.update(id, 'third')
      for (const { unit, changes, hook } of run.probe.calls) {
        if (hook !== 'beforeCommit') continue
        expectEqual(
          unit.changes.filter((change) => change.id === id),
          changes,
          'A change must hold objects of its own: no later write, and nothing that happens to an answer, may alter them.',
        )
      }
    },
  },
  {
    name: 'correlation id and traceparent of the request are in its changes',
    requires: ['rest', 'requestHeaders'],
    async prove(run) {
      const { resourceType } = run.sample('')
      const header = run.rest.correlationHeader ?? 'x-topic-correlation-id'
      const traceparent = '00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01'
      const headers = { [header]: 'order-4711', traceparent }
      for (const [sent, expected] of [
        [headers, ['order-4711', traceparent]],
        [{}, [undefined, undefined]],
      ] as const) {
        run.probe.calls.length = 0
        await run.request('POST', `/${resourceType}`, run.sample('headers'), sent)
        const change = onlyCommitted(run)
        expectEqual(
          [change.correlationId, change.traceparent],
          expected,
          `correlationId is the header ${header}, traceparent the header of that name, each absent when the request has none.`,
        )
      }
    },
  },
]

function onlyCommitted(run: CaseRun): Change {
  const { committed } = run.probe
  const [change] = committed
  expect(
    change !== undefined && committed.length === 1,
    'A write of one resource must be announced as one change.',
    committed,
  )
  return change
}

async function expectStored(run: CaseRun, change: Change | undefined): Promise<void> {
  expect(change?.current !== undefined, 'A create and an update need current.', change)
  const { current, currentJson, versionId } = change
  expect(
    current.resourceType === change.resourceType && current.id === change.id,
    'current must have resourceType and id.',
    current,
  )
  expect(
    typeof current.meta?.versionId === 'string' && isInstant(current.meta.lastUpdated),
    'current must be the resource as stored, with meta.versionId (a string) and meta.lastUpdated (an instant).',
    current.meta,
  )
  expect(
    versionId === undefined || versionId === current.meta.versionId,
    'versionId must be the one of current.meta.',
    { versionId, meta: current.meta },
  )
  if (currentJson !== undefined) {
    expectEqual(
      JSON.parse(currentJson),
      current,
      'currentJson must be the JSON text of current. Leave it out if you do not have that text at hand.',
    )
  }
  expectEqual(
    await run.readCurrent(change.id),
    current,
    'current must be what is stored, and what FhirHost.read gives after the commit.',
  )
}

function isInstant(value: string | undefined): boolean {
  return value !== undefined && /^\d{4}-\d\d-\d\dT.*(?:Z|[+-]\d\d:\d\d)$/.test(value)
}

async function isBlocking(run: CaseRun, pid: number | undefined): Promise<boolean> {
  const { rows } = await run.database.query(
    'select 1 from pg_stat_activity where $1::int = any (pg_blocking_pids(pid))',
    [pid],
  )
  return rows.length > 0
}

const chainAdvice =
  'Each change must carry the version right before it. Read previous in the transaction of the write, with SELECT … FOR UPDATE, before you write.'

/** Follows `previous` from the create on. Two commits may be announced in either order. */
function expectChain(changes: readonly Change[]): void {
  const open = [...changes]
  let before: FhirResource | undefined
  while (open.length > 0) {
    const versionId = before?.meta?.versionId
    const index = open.findIndex(({ previous }) => previous?.meta?.versionId === versionId)
    const [next] = index < 0 ? [] : open.splice(index, 1)
    expect(next !== undefined, chainAdvice, changes)
    expectEqual(next.previous, before, chainAdvice)
    before = next.current
  }
}
