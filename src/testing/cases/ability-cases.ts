import type { CaseSpec } from './case-spec.ts'
import { expect, expectEqual } from '../expect.ts'

export const abilityCases: readonly CaseSpec[] = [
  {
    name: 'capabilities say what the host can do, and hooks get a transaction exactly when it has one',
    requires: [],
    async prove(run) {
      const { sqlTransactions, customResourceTypes } = run.host.capabilities
      for (const [ability, isThere] of Object.entries({ sqlTransactions, customResourceTypes })) {
        const isLacking = Object.hasOwn(run.lacks, ability)
        expect(
          isThere !== isLacking,
          `FhirHost.capabilities.${ability} is ${isThere}; HostUnderTest.lacks must ${isThere ? 'not name it' : 'say why'}.`,
        )
      }
      let hasTx: boolean | undefined
      run.probe.inBeforeCommit = (_unit, tx) => {
        hasTx = tx !== undefined
        return Promise.resolve()
      }
      await run.create('with or without tx')
      expectEqual(
        hasTx,
        sqlTransactions,
        sqlTransactions
          ? 'Pass the open transaction to beforeCommit as its second argument: fromPg(client) or fromKnex(trx).'
          : 'A host without SQL transactions must call beforeCommit with the unit alone.',
      )
    },
  },
]
