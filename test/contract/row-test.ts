import type { ContractServer } from './contract-server.ts'

/** Proves one row; throws when the row does not hold. */
export type RowTest = (contract: ContractServer) => Promise<void>
