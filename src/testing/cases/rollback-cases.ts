import { OperationOutcomeError } from '@medplum/core'
import type { OperationOutcome } from '@medplum/fhirtypes'
import type { CaseSpec } from './case-spec.ts'
import { expect, expectEqual, expectRejection, settle } from '../expect.ts'
import { expectHooks, expectOneUnit } from './commit-cases.ts'

const statuses = [
  { id: 'unprocessable-entity', code: 'business-rule', status: 422 },
  { id: 'conflict', code: 'conflict', status: 409 },
] as const

export const rollbackCases: readonly CaseSpec[] = [
  {
    name: 'a rejection of beforeCommit rolls the write back and calls afterRollback',
    requires: [],
    async prove(run) {
      const first = await run.given('before')
      run.probe.inBeforeCommit = () => Promise.reject(new Error('veto of the conformance suite'))
      await expectRejection(
        run.update(first.id, 'after'),
        'A rejection of beforeCommit must fail the write.',
      )
      expectHooks(run, ['beforeCommit', 'afterRollback'])
      expectOneUnit(run)
      expectEqual(
        await run.readCurrent(first.id),
        run.probe.calls[0]?.changes[0]?.previous,
        'A rejection of beforeCommit must roll the write back: let the error out of the transaction.',
      )
    },
  },
  {
    name: 'the status of an OperationOutcomeError of beforeCommit reaches the client',
    requires: ['rest'],
    async prove(run) {
      const { resourceType } = run.sample('')
      for (const { id, code, status } of statuses) {
        run.probe.inBeforeCommit = () =>
          Promise.reject(new OperationOutcomeError(outcome(id, code)))
        const answer = await run.request('POST', `/${resourceType}`, run.sample(id))
        expectEqual(
          answer.status,
          status,
          `An OperationOutcomeError whose outcome has the id ${id} must be answered with ${status}.`,
        )
        expectEqual(
          answer.body.issue?.[0]?.details?.text,
          'refused by the conformance suite',
          'Answer with the OperationOutcome of the error: it tells the client what to change.',
        )
      }
    },
  },
  {
    name: 'a transaction that fails on its own announces nothing and stores nothing',
    requires: ['transactions'],
    async prove(run) {
      const failure = new Error('failure of the conformance suite')
      let id = ''
      const error = await expectRejection(
        run.transaction(async (writes) => {
          id = (await run.create('lost', writes)).id
          throw failure
        }),
        'RunningHost.transaction must reject when its work rejects.',
      )
      expect(
        error === failure || String(error).includes(failure.message),
        'The error of the work must be passed on.',
        error,
      )
      expect(
        !run.probe.hooks.includes('beforeCommit'),
        'Call beforeCommit only when the work of the transaction is done.',
      )
      expectEqual(
        run.probe.committed,
        [],
        'Call afterCommit only after COMMIT, not after ROLLBACK.',
      )
      expect(
        !(await run.isStored(id)),
        'RunningHost.transaction must roll back when its work rejects.',
      )
    },
  },
  {
    name: 'a COMMIT that PostgreSQL turns into a ROLLBACK is no commit',
    requires: ['sqlTransactions', 'transactions', 'statements'],
    async prove(run) {
      let id = ''
      const result = await settle(
        run.transaction(async (writes) => {
          id = (await run.create('swallowed', writes)).id
          await run.sql(writes, 'select 1 / 0').catch(() => undefined)
        }),
      )
      const isStored = await run.isStored(id)
      expectEqual(
        run.probe.hooks.includes('afterCommit'),
        isStored,
        'PostgreSQL answers COMMIT of an aborted transaction with the tag ROLLBACK and no error. Run a statement before COMMIT, as UnitOfWork.beforeCommit does, and check `command === "COMMIT"` if you can.',
      )
      expectEqual(
        result.status === 'fulfilled',
        isStored,
        'The client was told that a transaction succeeded which PostgreSQL rolled back.',
      )
      expect(
        isStored || run.probe.hooks.at(-1) !== 'beforeCommit',
        'Call afterRollback for a unit whose beforeCommit was called and whose COMMIT became a ROLLBACK.',
      )
    },
  },
]

function outcome(id: string, code: (typeof statuses)[number]['code']): OperationOutcome {
  const details = { text: 'refused by the conformance suite' }
  return { resourceType: 'OperationOutcome', id, issue: [{ severity: 'error', code, details }] }
}
