import assert from 'node:assert/strict'
import { after, afterEach, before, describe, it } from 'node:test'
import { ContractServer } from './contract-server.ts'
import { contractTable, type SuiteName } from './contract-table.ts'
import { contractTests } from './contract-tests.ts'

/** Runs the tests of the rows of one suite on a server of its own. */
export function contractSuite(name: SuiteName): void {
  describe(`the contract: ${name}`, () => {
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

    for (const [area, rows] of Object.entries(contractTable[name])) {
      describe(area, () => {
        for (const [id, { statement }] of Object.entries(rows)) {
          it(`${id}: ${statement}`, async () => {
            const test = contractTests[id]
            assert.ok(test)
            await test(contract)
          })
        }
      })
    }
  })
}
