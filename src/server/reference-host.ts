import type { FhirRepository, FhirRouter } from '@medplum/fhir-router'
import { fromKnex } from '../host/sql-tx.ts'
import type {
  CommitHooks,
  FhirHost,
  FhirResource,
  HostHistory,
  Operation,
  Principal,
  ReferencesQuery,
  ResourceTypeDefinition,
  SqlTx,
} from '../host/types.ts'
import type { Authenticator } from './http/auth.ts'
import { indexResourceType } from '../rest/index-resource-type.ts'
import { storedVersions, type RepositoryContext } from './storage/knex-repository.ts'
import { StoredHistory } from './storage/stored-history.ts'
import { addOperationRoutes } from './http/operation-routes.ts'

export interface ReferenceHostParts {
  readonly context: RepositoryContext
  readonly router: FhirRouter
  readonly authenticator: Authenticator
  readonly principalOf: (repository: FhirRepository) => Principal | undefined
}

/** The reference server as modules see it. */
export class ReferenceHost implements FhirHost {
  readonly capabilities = { sqlTransactions: true, customResourceTypes: true } as const
  readonly history: HostHistory
  readonly #parts: ReferenceHostParts
  readonly #operations: Operation[] = []

  constructor(parts: ReferenceHostParts) {
    this.#parts = parts
    this.history = new StoredHistory(parts.context.knex)
  }

  get operations(): readonly Operation[] {
    return this.#operations
  }

  registerResourceType(definition: ResourceTypeDefinition): void {
    indexResourceType(definition)
    this.#parts.context.types.set(definition.definition.type, definition)
  }

  registerOperation(operation: Operation): void {
    addOperationRoutes(this.#parts.router, operation, this.#parts.principalOf)
    this.#operations.push(operation)
  }

  addCommitHooks(hooks: CommitHooks): void {
    this.#parts.context.hooks.push(hooks)
  }

  list(resourceType: string): Promise<FhirResource[]> {
    return storedVersions.list(fromKnex(this.#parts.context.knex), resourceType)
  }

  read(references: readonly string[], tx?: SqlTx): Promise<ReadonlyMap<string, FhirResource>> {
    return storedVersions.read(tx ?? fromKnex(this.#parts.context.knex), references)
  }

  references(query: ReferencesQuery): Promise<readonly string[]> {
    return storedVersions.references(fromKnex(this.#parts.context.knex), query)
  }

  authorize(principal: Principal | undefined): Promise<void> {
    this.#parts.authenticator.authorize(principal)
    return Promise.resolve()
  }
}
