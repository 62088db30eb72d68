import type { CaseSpec } from './case-spec.ts'
import { expect, expectEqual } from '../expect.ts'
import { expectHooks } from './commit-cases.ts'

const lostRace =
  "do $$ begin raise sqlstate '40001' using message = 'lost race of the suite'; end $$"

export const retryCases: readonly CaseSpec[] = [
  {
    name: 'an attempt that is repeated is another unit, and the failed one gets afterRollback',
    requires: ['sqlTransactions', 'retries'],
    async prove(run) {
      const table = await run.noteTable()
      run.probe.inBeforeCommit = async (_unit, tx) => {
        await tx?.query(`insert into ${table} values ($1)`, ['attempt'])
        const attempts = run.probe.hooks.filter((hook) => hook === 'beforeCommit').length
        if (attempts === 1) await tx?.query(lostRace)
      }
      const { id } = await run.create('repeated')
      expectHooks(run, ['beforeCommit', 'afterRollback', 'beforeCommit', 'afterCommit'])
      const [failed, rolledBack, repeated, committed] = run.probe.calls
      expect(
        failed?.unit === rolledBack?.unit && repeated?.unit === committed?.unit,
        'The hooks of one attempt get the unit of that attempt.',
      )
      expect(
        failed?.unit !== repeated?.unit,
        'Create a new UnitOfWork for each attempt, inside the loop that retries.',
      )
      expectEqual(
        run.probe.committed.map((change) => change.id),
        [id],
        'Only the changes of the attempt that committed are announced, once.',
      )
      expectEqual(
        await run.countRows(table),
        1,
        'What the failed attempt wrote must be rolled back.',
      )
    },
  },
  {
    name: 'changes of a failed attempt are not announced with those of the next',
    requires: ['sqlTransactions', 'transactions', 'statements', 'retries'],
    async prove(run) {
      const ids: string[] = []
      await run.transaction(async (writes) => {
        ids.push((await run.create(`attempt ${ids.length + 1}`, writes)).id)
        if (ids.length === 1) await run.sql(writes, lostRace)
      })
      expect(ids.length === 2, 'The work of a transaction that lost a race must be run again.', ids)
      expectEqual(
        run.probe.committed.map(({ id }) => id),
        ids.slice(1),
        'Create a new UnitOfWork for each attempt: what a failed attempt recorded never happened.',
      )
      expect(
        run.probe.hooks.filter((hook) => hook === 'beforeCommit').length === 1,
        'beforeCommit is not called for an attempt that fails before its end.',
      )
    },
  },
]
