export { hostConformance, type ConformanceCase } from './host-conformance.ts'
export { HostConformanceError } from './expect.ts'
export {
  hostAbilities,
  type HostAbility,
  type HostUnderTest,
  type HostWrites,
  type JsonPatchStep,
  type RestAccess,
  type RunningHost,
  type TransactionWrites,
} from './host-under-test.ts'
