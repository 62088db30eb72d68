export { aclFormats, formatAcls, type AclFormat } from './acl-formats/format-acls.ts'
export type { Acl, AclOperation, AclResourceType } from './acl.ts'
export { applyTopology, type Application, type ApplyOptions } from './apply-topology.ts'
export type { ClusterAdmin, ClusterFacts, ClusterTopic, NewTopic } from './cluster-admin.ts'
export type { ClusterOptions, ConnectOptions } from './cluster-connection.ts'
export { connectClusterAdmin } from './connect-cluster-admin.ts'
export type { TopologyDocument } from './document.ts'
export {
  formatFinding,
  TopologyError,
  topologyChecks,
  type DocumentPath,
  type Finding,
  type LocatedFinding,
  type TopologyCheck,
} from './finding.ts'
export { checkHealth, type HealthOptions } from './health/check-health.ts'
export { HealthProbe, type HealthProbeOptions } from './health/health-probe.ts'
export type {
  FailedService,
  HealthyService,
  ServiceHealth,
  TopologyHealth,
} from './health/topology-health.ts'
export {
  importedYaml,
  importTopology,
  type ImportedTopology,
  type ImportOptions,
} from './import-topology.ts'
export { parseTopology, type TopologySource } from './parse-topology.ts'
export { formatPlanLine, type PlanLine } from './plan-line.ts'
export type { PlanOptions } from './plan-options.ts'
export { planTopology, type TopologyPlan } from './plan-topology.ts'
export { readTopology } from './read-topology.ts'
export { resolveTopology } from './resolve-topology.ts'
export type {
  ConsumerGroup,
  ResolvedDestination,
  ResolvedFhir,
  ResolvedTopic,
  ResolvedTopology,
} from './resolved-topology.ts'
export { topologyPage } from './topology-page.ts'
export { validateTopology, type ValidateOptions, type Validation } from './validate-topology.ts'
