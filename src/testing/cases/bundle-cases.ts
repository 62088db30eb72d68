import { randomUUID } from 'node:crypto'
import type { CaseRun } from '../case-run.ts'
import type { CaseSpec } from './case-spec.ts'
import { expect, expectEqual } from '../expect.ts'
import { expectHooks, expectOneUnit } from './commit-cases.ts'
import type { RestAnswer } from '../rest-client.ts'

const requires = ['rest', 'bundles'] as const

export const bundleCases: readonly CaseSpec[] = [
  {
    name: 'a transaction Bundle is one unit',
    requires,
    async prove(run) {
      const answer = await postBundle(run, 'transaction', ['one', 'two'])
      expectEqual(answer.status, 200, `A transaction Bundle answers 200 (${answer.status}).`)
      expectHooks(run, ['beforeCommit', 'afterCommit'])
      expectOneUnit(run)
      expectEqual(
        run.probe.committed.length,
        2,
        'Every entry of the Bundle is a change of the unit.',
      )
    },
  },
  {
    name: 'a transaction Bundle that fails announces nothing and stores nothing',
    requires,
    async prove(run) {
      const answer = await postBundle(run, 'transaction', ['one'], {
        request: { method: 'GET', url: run.reference(randomUUID()) },
      })
      expect(
        answer.status >= 400,
        'A transaction Bundle with an entry that fails must fail.',
        answer,
      )
      expectEqual(run.probe.committed, [], 'afterCommit was called for a Bundle that failed.')
      const ids = run.probe.calls.flatMap(({ changes }) => changes.map(({ id }) => id))
      for (const id of ids) {
        expect(
          !(await run.isStored(id)),
          'A transaction Bundle must be stored whole or not at all.',
        )
      }
    },
  },
  {
    name: 'every entry of a batch is a unit of its own',
    requires,
    async prove(run) {
      await postBundle(run, 'batch', ['one', 'two'])
      expectEqual(
        run.probe.calls
          .filter(({ hook }) => hook === 'afterCommit')
          .map(({ changes }) => changes.length),
        [1, 1],
        'Entries of a batch succeed and fail alone, each in its own transaction.',
      )
    },
  },
]

async function postBundle(
  run: CaseRun,
  type: 'batch' | 'transaction',
  texts: readonly string[],
  ...more: readonly object[]
): Promise<RestAnswer> {
  const { resourceType } = run.sample('')
  const entry = texts.map((text) => ({
    request: { method: 'POST', url: resourceType },
    resource: run.sample(text),
  }))
  return run.request('POST', '', { resourceType: 'Bundle', type, entry: [...entry, ...more] })
}
