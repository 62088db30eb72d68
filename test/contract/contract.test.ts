import assert from 'node:assert/strict'
import { after, afterEach, before, describe, it } from 'node:test'
import { ContractServer } from './contract-server.ts'
import { contractTable } from './contract-table.ts'
import { contractTests } from './contract-tests.ts'

const rows = Object.values(contractTable).flatMap((area) => Object.entries(area))

describe('the contract table', () => {
  it('has one row for each id, and one test for each row', () => {
    const ids = rows.map(([id]) => id)
    assert.equal(new Set(ids).size, ids.length)
    assert.deepEqual(Object.keys(contractTests).toSorted(), ids.toSorted())
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

describe('the contract', () => {
  let contract: ContractServer

  before(async (t) => {
    contract = await ContractServer.start(t)
  })

  after(async () => {
    await contract.stop()
  })

  afterEach(async () => {
    await contract.forget()
  })

  for (const [area, areaRows] of Object.entries(contractTable)) {
    describe(area, () => {
      for (const [id, { statement }] of Object.entries(areaRows)) {
        it(`${id}: ${statement}`, async () => {
          const test = contractTests[id]
          assert.ok(test)
          await test(contract)
        })
      }
    })
  }
})
