import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { fromKnex, fromPg } from '../../../src/host/sql-tx.ts'

async function translate(text: string, values: readonly unknown[]): Promise<[string, unknown[]]> {
  let seen: [string, unknown[]] | undefined
  const tx = fromKnex({
    raw(sql, bindings) {
      seen = [sql, bindings]
      return Promise.resolve({ rows: [], rowCount: 0 })
    },
  })
  await tx.query(text, values)
  assert.ok(seen)
  return seen
}

describe('fromKnex', () => {
  it('repeats and reorders the values as the placeholders do', async () => {
    assert.deepEqual(await translate('select $2, $1, $2', ['a', 'b']), [
      'select ?, ?, ?',
      ['b', 'a', 'b'],
    ])
  })

  it('tells $1 from $10', async () => {
    const values = Array.from({ length: 10 }, (_, index) => index + 1)
    assert.deepEqual(await translate('select $10, $1', values), ['select ?, ?', [10, 1]])
  })

  it('escapes the question marks of the text', async () => {
    assert.deepEqual(await translate(`select $1 ? 'a', $2 ?| $3`, [1, 2, 3]), [
      `select ? \\? 'a', ? \\?| ?`,
      [1, 2, 3],
    ])
  })
})

describe('fromPg', () => {
  it('hands text and a copy of the values on', async () => {
    const given = Object.freeze(['a'])
    const seen: unknown[] = []
    const tx = fromPg({
      query(text, values) {
        seen.push(text, values)
        values?.push('changed by the client')
        return Promise.resolve({ rows: [{ one: 1 }], rowCount: 1 })
      },
    })
    assert.deepEqual(await tx.query('select $1', given), { rows: [{ one: 1 }], rowCount: 1 })
    assert.equal(seen[0], 'select $1')
    assert.deepEqual(given, ['a'])
  })
})
