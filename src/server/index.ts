export { createServer } from './create-server.ts'
export type { ReferenceServer, ServerOptions } from './server-options.ts'
