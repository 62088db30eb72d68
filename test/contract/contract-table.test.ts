import assert from 'node:assert/strict'
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { describe, it } from 'node:test'
import { contractTable } from './contract-table.ts'
import { contractTests } from './contract-tests.ts'

const areas = Object.values(contractTable).flatMap((suite) => Object.values(suite))
const rows = areas.flatMap((area) => Object.entries(area))

describe('the contract table', () => {
  it('has one row for each id, and one test for each row', () => {
    const ids = rows.map(([id]) => id)
    assert.equal(new Set(ids).size, ids.length)
    assert.deepEqual(Object.keys(contractTests).toSorted(), ids.toSorted())
  })

  it('has a test file for each suite', async () => {
    for (const suite of Object.keys(contractTable)) {
      const text = await readFile(join(import.meta.dirname, `${suite}.test.ts`), 'utf8')
      assert.ok(text.includes(`contractSuite('${suite}')`), suite)
    }
  })

  it('says each thing in a sentence, and where it stands', () => {
    for (const [id, row] of rows) {
      assert.match(row.statement, /^\S.*\.$/s, id)
      assert.match(row.source, /^\S.*, \S/s, id)
      if (row.verdict !== 'same') {
        assert.match(row.here, /^\S.*\.$/s, id)
        assert.match(row.because, /^\S.*[^.]$/s, id)
      }
    }
  })
})
