import { CaseRun } from './case-run.ts'
import { abilityCases } from './cases/ability-cases.ts'
import { bundleCases } from './cases/bundle-cases.ts'
import { changeCases } from './cases/change-cases.ts'
import { commitCases } from './cases/commit-cases.ts'
import { historyCases } from './cases/history-cases.ts'
import { referencesCases } from './cases/references-cases.ts'
import { operationCases } from './cases/operation-cases.ts'
import { readCases } from './cases/read-cases.ts'
import { resourceTypeCases } from './cases/resource-type-cases.ts'
import { retryCases } from './cases/retry-cases.ts'
import { rollbackCases } from './cases/rollback-cases.ts'
import { savepointCases } from './cases/savepoint-cases.ts'
import { sqlTxCases } from './cases/sql-tx-cases.ts'
import type { CaseSpec } from './cases/case-spec.ts'
import { HostConformanceError, settle } from './expect.ts'
import type { HostAbility, HostUnderTest } from './host-under-test.ts'

export interface ConformanceCase {
  /** The promise that the case proves. */
  readonly name: string
  readonly requires: readonly HostAbility[]
  /** Why this host cannot run the case; false when it can. */
  readonly skip: string | false
  /** Starts the host, proves the promise, stops the host.
   *  @throws HostConformanceError that says what to change; also for a case that is to be skipped */
  readonly run: () => Promise<void>
}

const specs: readonly CaseSpec[] = [
  ...abilityCases,
  ...commitCases,
  ...sqlTxCases,
  ...rollbackCases,
  ...changeCases,
  ...savepointCases,
  ...retryCases,
  ...readCases,
  ...historyCases,
  ...referencesCases,
  ...resourceTypeCases,
  ...operationCases,
  ...bundleCases,
]

/** What every host of a module must keep, as cases for any test runner:
 *
 *  ```ts
 *  for (const { name, skip, run } of hostConformance(subject)) test(name, { skip }, run)
 *  ``` */
export function hostConformance(subject: HostUnderTest): readonly ConformanceCase[] {
  return specs.map((spec) => {
    const skip = reasonToSkip(subject, spec.requires)
    return {
      name: spec.name,
      requires: spec.requires,
      skip,
      run: () => runCase(subject, spec, skip),
    }
  })
}

async function runCase(
  subject: HostUnderTest,
  spec: CaseSpec,
  skip: string | false,
): Promise<void> {
  if (skip !== false) throw new HostConformanceError(`This case is to be skipped: ${skip}`)
  const running = await CaseRun.open(subject)
  const proven = await settle(spec.prove(running))
  const stopped = await settle(running.stop())
  if (running.unsupplied) throw running.unsupplied
  // What the host broke says more than what its end made of it.
  for (const result of [proven, stopped]) if (result.status === 'rejected') throw result.reason
}

function reasonToSkip(
  { lacks = {} }: HostUnderTest,
  requires: readonly HostAbility[],
): string | false {
  const reasons = requires.flatMap((ability) => {
    const reason = lacks[ability]
    return reason === undefined ? [] : [`the host lacks ${ability}: ${reason}`]
  })
  return reasons.length === 0 ? false : reasons.join('; ')
}
