import type { SqlTx } from '../../host/types.ts'
import type { CaseSpec } from './case-spec.ts'
import { expect, expectEqual, expectRejection } from '../expect.ts'

const wrap = 'Pass the connection of the write: fromPg(client), fromKnex(trx).'

/** What tx.query must take: placeholders out of order and repeated, arrays, null, and operators with a question mark. */
const queries: readonly {
  readonly what: string
  readonly text: string
  readonly values: readonly unknown[]
  readonly rows: readonly unknown[]
}[] = [
  {
    what: 'placeholders in any order and repeated',
    text: 'select $2::text || $1::text || $2::text as joined',
    values: ['a', 'b'],
    rows: [{ joined: 'bab' }],
  },
  {
    what: 'more than nine placeholders',
    text: 'select $10::text || $1::text as joined, $2::int + $3::int + $4::int + $5::int + $6::int + $7::int + $8::int + $9::int as sum',
    values: ['a', 1, 1, 1, 1, 1, 1, 1, 1, 'j'],
    rows: [{ joined: 'ja', sum: 8 }],
  },
  {
    what: 'arrays and null',
    text: 'select n::text as n, $2::text is null as is_null from unnest($1::text[]) as n',
    values: [['x', 'y'], null],
    rows: [
      { n: 'x', is_null: true },
      { n: 'y', is_null: true },
    ],
  },
  {
    what: 'the operators ? and ?| of jsonb',
    text: `select $1::jsonb ? 'a' as has, $1::jsonb ?| array['b', $2] as any`,
    values: ['{"a": 1}', 'a'],
    rows: [{ has: true, any: true }],
  },
  {
    what: 'a statement without values',
    text: 'select 1 as one',
    values: [],
    rows: [{ one: 1 }],
  },
]

export const sqlTxCases: readonly CaseSpec[] = [
  {
    name: 'beforeCommit is called in the open transaction: tx sees the rows, nobody else does',
    requires: ['sqlTransactions'],
    async prove(run) {
      let seen: Readonly<Record<string, boolean>> = {}
      run.probe.inBeforeCommit = async ({ changes }, tx) => {
        const id = changes[0]?.id ?? ''
        const inside = (await run.readCurrent(id, tx)) !== undefined
        seen = { inside, outside: await run.isStored(id) }
      }
      await run.create('open')
      expect(
        seen['outside'] === false,
        'Call beforeCommit before COMMIT: another connection must not see the rows yet.',
      )
      expect(
        seen['inside'] === true,
        `Read through the tx that FhirHost.read is given, and pass the transaction of the write to beforeCommit. ${wrap}`,
      )
    },
  },
  {
    name: 'what beforeCommit writes through tx is committed with the write',
    requires: ['sqlTransactions'],
    async prove(run) {
      const table = await run.noteTable()
      let countWithin = 0
      run.probe.inBeforeCommit = async (_unit, tx) => {
        await insertNote(tx, table)
        countWithin = await run.countRows(table)
      }
      await run.create('noted')
      expectEqual(countWithin, 0, `A row written through tx was visible before COMMIT. ${wrap}`)
      expectEqual(await run.countRows(table), 1, `A row written through tx is lost. ${wrap}`)
    },
  },
  {
    name: 'what beforeCommit writes through tx is rolled back with the write',
    requires: ['sqlTransactions'],
    async prove(run) {
      const table = await run.noteTable()
      run.probe.inBeforeCommit = async (_unit, tx) => {
        await insertNote(tx, table)
        throw new Error('veto of the conformance suite')
      }
      await expectRejection(
        run.create('vetoed'),
        'A rejection of beforeCommit must fail the write.',
      )
      expectEqual(
        await run.countRows(table),
        0,
        `A row written through tx survived the rollback. ${wrap}`,
      )
    },
  },
  {
    name: 'tx.query takes $1 placeholders, arrays and the question marks of jsonb, and answers rows and rowCount',
    requires: ['sqlTransactions'],
    async prove(run) {
      const answers: unknown[] = []
      const failures: unknown[] = []
      run.probe.inBeforeCommit = async (_unit, tx) => {
        for (const { what, text, values } of queries) {
          try {
            const answer = await tx?.query(text, values)
            answers.push({ rows: answer?.rows, rowCount: answer?.rowCount })
          } catch (error) {
            failures.push(`${what}: ${String(error)}`)
            throw error
          }
        }
      }
      const written = run.create('queries')
      await written.catch(() => undefined)
      expectEqual(failures, [], `tx.query must take what pg takes. ${wrap}`)
      for (const [index, { what, rows }] of queries.entries()) {
        expectEqual(
          answers[index],
          { rows, rowCount: rows.length },
          `tx.query must answer rows and rowCount as pg does (${what}). ${wrap}`,
        )
      }
      await written
    },
  },
  {
    name: 'tx takes a savepoint and a failing statement in it',
    requires: ['sqlTransactions'],
    async prove(run) {
      const table = await run.noteTable()
      let isRejected = false
      run.probe.inBeforeCommit = async (_unit, tx) => {
        await insertNote(tx, table)
        await tx?.query('savepoint host_conformance')
        try {
          await tx?.query('select 1 / 0')
        } catch {
          isRejected = true
        }
        await tx?.query('rollback to savepoint host_conformance')
      }
      await run.create('savepoint in a hook')
      expect(isRejected, 'tx.query must reject when its statement fails.')
      expectEqual(
        await run.countRows(table),
        1,
        'All statements of tx must run on the one connection of the transaction.',
      )
    },
  },
]

async function insertNote(tx: SqlTx | undefined, table: string): Promise<void> {
  await tx?.query(`insert into ${table} values ($1)`, ['from beforeCommit'])
}
