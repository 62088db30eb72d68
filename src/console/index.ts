export { consoleRouter, type ConsoleRouter } from './console-router.ts'
export type { ClusterHealthView, ServiceHealthView } from './api-views.ts'
export type {
  ConsoleCaller,
  ConsoleFhirAnswer,
  ConsoleFhirRequest,
  ConsoleOptions,
  ConsoleSignIn,
  SeenResource,
} from './console-options.ts'
