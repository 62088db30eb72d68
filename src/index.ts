export { kafkaTopicDestination, type TopicDestinationModule } from './module.ts'
export type { ModuleOptions } from './options.ts'
export { endProcess } from './kafka/end-process.ts'
export { UnitOfWork } from './host/unit-of-work.ts'
export {
  OwnTypesHost,
  type HostTransaction,
  type OwnTypesHostOptions,
  type OwnTypesRequest,
  type RequestOrigin,
} from './own-types/own-types-host.ts'
export type { Answer as HttpAnswer } from './rest/answer.ts'
export { fromKnex, fromPg, type KnexTransactionLike, type PgClientLike } from './host/sql-tx.ts'
export type {
  Change,
  CommitHooks,
  CommitUnit,
  FhirHost,
  FhirResource,
  FhirServerModule,
  HistoryQuery,
  HostHistory,
  Interaction,
  Operation,
  OperationRequest,
  PastChange,
  Principal,
  ResourceInteraction,
  ResourceTypeDefinition,
  SqlTx,
} from './host/types.ts'
export {
  errorCodes,
  isTopicDestinationError,
  TopicDestinationError,
  type ErrorCode,
} from './errors.ts'
export type { Logger, LogLevel } from './observability/logger.ts'
export type { MetricRegistry } from './observability/metric-registry.ts'
export type { MetricsOptions } from './observability/module-metrics.ts'
export type { DecidedCounts, UndecidedEvents, UndecidedPage } from './delivery/undecided-queue.ts'
export { outboxGrantsSql } from './outbox/host-grants.ts'
export type { UndecidedEvent } from './outbox/undecided-events.ts'
export type { UndecidedSelection } from './outbox/undecided-selection.ts'
export { outboxMigrationsSql } from './outbox/migrations.ts'
