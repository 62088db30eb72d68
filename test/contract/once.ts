import type { ContractServer } from './contract-server.ts'

/** What several rows look at is made once: by the first of them. */
export function once<Made>(
  make: (contract: ContractServer) => Promise<Made>,
): (contract: ContractServer) => Promise<Made> {
  const made = new WeakMap<ContractServer, Promise<Made>>()
  return (contract) => {
    const known = made.get(contract) ?? make(contract)
    made.set(contract, known)
    return known
  }
}
