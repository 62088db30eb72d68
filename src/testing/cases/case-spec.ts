import type { CaseRun } from '../case-run.ts'
import type { HostAbility } from '../host-under-test.ts'

/** One promise of a host. */
export interface CaseSpec {
  /** The promise, as a sentence. */
  readonly name: string
  readonly requires: readonly HostAbility[]
  /** @throws HostConformanceError when the host does not keep it */
  prove(run: CaseRun): Promise<void>
}
