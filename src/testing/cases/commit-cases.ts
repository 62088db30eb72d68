import type { CaseSpec } from './case-spec.ts'
import { expect, expectEqual, settle } from '../expect.ts'
import type { CaseRun } from '../case-run.ts'

export const commitCases: readonly CaseSpec[] = [
  {
    name: 'a write calls beforeCommit once and afterCommit once, with the same unit',
    requires: [],
    async prove(run) {
      await run.create('one')
      expectHooks(run, ['beforeCommit', 'afterCommit'])
      expectOneUnit(run)
    },
  },
  {
    name: 'a transaction of several writes calls beforeCommit once, as its last step',
    requires: ['transactions'],
    async prove(run) {
      let missing: string[] = []
      run.probe.inBeforeCommit = async ({ changes }, tx) => {
        // Without a transaction to look into, nothing can be seen before COMMIT.
        if (!tx) return
        const references = changes.map(({ resourceType, id }) => `${resourceType}/${id}`)
        const found = await run.host.read(references, tx)
        missing = references.filter((reference) => !found.has(reference))
      }
      const ids: string[] = []
      await run.transaction(async (writes) => {
        for (const text of ['one', 'two', 'three']) ids.push((await run.create(text, writes)).id)
      })
      expectHooks(run, ['beforeCommit', 'afterCommit'])
      expectOneUnit(run)
      expectEqual(
        run.probe.calls[0]?.changes.map(({ id }) => id),
        ids,
        'Call beforeCommit when every write of the transaction has been recorded, right before COMMIT, not after each write.',
      )
      expectEqual(missing, [], 'Write the rows of a change before beforeCommit is called.')
    },
  },
  {
    name: 'afterCommit comes after COMMIT',
    requires: [],
    async prove(run) {
      let isVisible: boolean | undefined
      run.probe.inAfterCommit = async ({ changes }) => {
        isVisible = await run.isStored(changes[0]?.id ?? '')
      }
      await run.create('committed')
      expect(
        isVisible === true,
        'Call afterCommit when COMMIT has returned: another connection must see the rows by then.',
      )
    },
  },
  {
    name: 'the write is answered when afterCommit has settled',
    requires: [],
    async prove(run) {
      let isSettled = false
      run.probe.inAfterCommit = async ({ changes }) => {
        // Takes longer than a host that does not wait.
        for (let round = 0; round < 5; round++) await run.isStored(changes[0]?.id ?? '')
        isSettled = true
      }
      await run.create('announced')
      expect(
        isSettled,
        'Await afterCommit before you answer: a client that was told 201 must find every node informed.',
      )
    },
  },
  {
    name: 'reading calls no hook',
    requires: [],
    async prove(run) {
      const { resourceType, id } = await run.given('read')
      await run.host.read([`${resourceType}/${id}`])
      await run.host.list(resourceType)
      expectHooks(run, [])
    },
  },
  {
    name: 'a write that changes nothing calls no hook',
    requires: [],
    async prove(run) {
      const same = await run.given('same')
      await run.update(same.id, 'same')
      expectEqual(
        run.probe.hooks,
        [],
        'An update that leaves the content as it is is no change: compare with the stored version, and record nothing.',
      )
      await run.delete(same)
      run.probe.calls.length = 0
      // Whether this is answered with 204 or 404 is the host's affair.
      await settle(run.delete(same))
      expectEqual(run.probe.hooks, [], 'The delete of a deleted resource is no change.')
    },
  },
  {
    name: 'a write that changes meta alone is a change',
    requires: [],
    async prove(run) {
      const { id } = await run.given('tagged')
      const tag = [{ system: 'http://example.org/tag', code: 'conformance' }]
      await run.writes.update({ ...run.sample('tagged', id), meta: { tag } })
      expectEqual(
        run.probe.committed.map(({ current }) => current?.meta?.['tag']),
        [tag],
        'Tags and security labels are content: leave only versionId and lastUpdated out when you compare with the stored version.',
      )
    },
  },
]

export function expectHooks(run: CaseRun, expected: readonly string[]): void {
  expectEqual(
    run.probe.hooks,
    expected,
    'For each attempt that changes something: beforeCommit once, then afterCommit once, or afterRollback once, before the answer. For anything else: no hook.',
  )
}

/** @param from index of the first call */
export function expectOneUnit(run: CaseRun, from = 0): void {
  const units = new Set(run.probe.calls.slice(from).map(({ unit }) => unit))
  expect(
    units.size === 1,
    'Pass the same unit object to every hook of an attempt: create one UnitOfWork when the transaction begins.',
  )
}
