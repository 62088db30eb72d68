import type {
  OperationDefinition,
  OperationOutcome,
  OperationOutcomeIssue,
  Parameters,
  Resource,
  SearchParameter,
  StructureDefinition,
} from '@medplum/fhirtypes'

/** One open SQL transaction (or savepoint) of the host. Placeholders are `$1`, `$2`, ….
 *  Valid only until the hook's promise settles. */
export interface SqlTx {
  query<Row = Record<string, unknown>>(
    text: string,
    values?: readonly unknown[],
  ): Promise<{ rows: Row[]; rowCount: number | null }>
}

/** A FHIR resource as JSON. Wider than `Resource` of @medplum/fhirtypes, because our two types are not in FHIR R4. */
export interface FhirResource {
  readonly resourceType: string
  readonly id?: string
  readonly meta?: {
    readonly versionId?: string
    readonly lastUpdated?: string
    readonly profile?: readonly string[]
    readonly [element: string]: unknown
  }
  readonly [element: string]: unknown
}

/** The three interactions a trigger can name. PATCH of every kind is an `update`. */
export const interactions = ['create', 'update', 'delete'] as const
export type Interaction = (typeof interactions)[number]

/** One committed-to-be change of one resource. A write that changes nothing, apart from `meta.versionId` and `meta.lastUpdated`, is
 *  not a change; one of `meta.tag` or `meta.security` is. */
export interface Change {
  readonly interaction: Interaction
  readonly resourceType: string
  readonly id: string
  /** Version written by this change: of the new version on create and update, of the deletion (if the host numbers it) on delete. */
  readonly versionId?: string
  /** The resource as stored, with `meta.versionId` and `meta.lastUpdated`; absent on delete. Never mutated by the module, nor by the
   *  host once it is recorded. */
  readonly current?: FhirResource
  /** JSON text of `current` exactly as stored, so that it is not serialised twice. Optional. */
  readonly currentJson?: string
  /** The version before this change, read under the row lock (`SELECT … FOR UPDATE`) of the write's transaction; absent on create, also
   *  on one that brings a deleted resource back. May be absent where `usesPrevious` says that nothing depends on it; a criteria that
   *  does leaves the event undecided then. */
  readonly previous?: FhirResource
  /** Value of the request's correlation header; opaque. */
  readonly correlationId?: string
  /** W3C `traceparent` of the request. */
  readonly traceparent?: string
  /** Time of the change, where it is not the time of the transaction that is passed to the hooks. */
  readonly at?: Date
}

/** A change that was committed some time ago. */
export type PastChange = Change & Required<Pick<Change, 'versionId' | 'at'>>

/** Which past changes are wanted. */
export interface HistoryQuery {
  /** Absent: those of every type. */
  readonly types?: readonly string[]
  /** Inclusive. */
  readonly from?: Date
  /** Inclusive, with all of its millisecond. */
  readonly to?: Date
  /** Nobody listens any more: the reading ends, with or without an error. */
  readonly signal?: AbortSignal
}

/** Which current resources are wanted. */
export interface ReferencesQuery {
  /** Absent: those of every type. */
  readonly types?: readonly string[]
  /** Those behind this reference, in the host's order; it may be gone by now. Absent: from the first on. */
  readonly after?: string
  /** Most references; fewer are answered only when there are no more. */
  readonly limit: number
}

/** What a host knows of the past. */
export interface HostHistory {
  /** Versions by reference (`Patient/123/_history/4`), as stored; missing ones and deletions are absent from the map. */
  read(references: readonly string[]): Promise<ReadonlyMap<string, FhirResource>>
  /** Committed changes as they were recorded, with `at` and without `currentJson`, correlation id and traceparent. The newest first; those of one
   *  resource in the reverse order of their versions. There may be millions: they are read in pages, as one read-only transaction sees
   *  them, and whoever has enough leaves the loop, which gives the connection back. */
  changes(query: HistoryQuery): AsyncIterable<PastChange>
}

/** One attempt of one host transaction. The same object is passed to every hook of the attempt. */
export interface CommitUnit {
  /** In the order of the writes; those of a savepoint that was rolled back are not here. Complete when `beforeCommit` is called. */
  readonly changes: readonly Change[]
}

export interface CommitHooks {
  /** Inside the transaction, after the host's rows are written and locked, as the last step before COMMIT.
   *  A throw must roll the transaction back; throw `OperationOutcomeError` to choose the answer.
   *  @param tx undefined where the host has no SQL transactions */
  beforeCommit(unit: CommitUnit, tx: SqlTx | undefined): Promise<void>
  /** COMMIT has succeeded. The host awaits it before it answers the request; it resolves at once except after a change
   *  of an AidboxSubscriptionTopic or AidboxTopicDestination, where it resolves when every node knows of the change. Never rejects. */
  afterCommit(unit: CommitUnit): Promise<void>
  /** The attempt does not commit: it was rolled back, or is about to be repeated under another unit. Called before the request is
   *  answered, once, and only for a unit with changes. Never throws. */
  afterRollback(unit: CommitUnit): void
  /** Whether anything depends on `previous` of an update or delete of this type. Where it is false, a host may leave `previous` out and spare
   *  itself the read; it asks anew in each transaction, after `begin`. Absent: everything does. See `UnitOfWork.usesPrevious`. */
  usesPrevious?(resourceType: string): boolean
}

/** Who made the request, as the host authenticated it. */
export interface Principal {
  readonly id: string
  readonly [claim: string]: unknown
}

export const resourceInteractions = [
  'create',
  'read',
  'vread',
  'update',
  'patch',
  'delete',
  'search-type',
  'history-instance',
] as const
export type ResourceInteraction = (typeof resourceInteractions)[number]

/** What a request for a write says beside its body. */
export interface WriteRequest {
  /** Parameters of the URL by name; a name that occurs several times has all values. */
  readonly query: Readonly<Record<string, string | readonly string[] | undefined>>
}

export interface ResourceTypeDefinition {
  readonly definition: StructureDefinition
  readonly profiles: readonly StructureDefinition[]
  readonly searchParameters: readonly SearchParameter[]
  /** Interactions the host serves; a create keeps the id that the client sends. Any other answers 405 `method-not-allowed`, also as an
   *  entry of a bundle. */
  readonly interactions: readonly ResourceInteraction[]
  /** What this installation can do with the type; a host may show it in its CapabilityStatement (`rest.resource.documentation`). */
  readonly documentation?: string
  /** Called before the host writes, with the version it replaces. Issues of severity `error` refuse the write with 422.
   *  The resource is the client's body with `resourceType` and `id` set; the host has not validated it. */
  validate(
    resource: FhirResource,
    previous?: FhirResource,
  ): OperationOutcomeIssue[] | Promise<OperationOutcomeIssue[]>
  /** Called before the transaction of a create, an update or a patch is opened, when the caller is known to be allowed to write: it may take
   *  seconds, and nothing may be locked meanwhile. `resource` is as for `validate`, of a patch what it would make of the current version. Issues
   *  of severity `error` refuse the write with 422. A host may leave it out: what it looks at is checked in no other place, and nothing that
   *  is stored depends on it. */
  beforeWrite?(
    resource: FhirResource,
    request: WriteRequest,
  ): Promise<readonly OperationOutcomeIssue[]>
  /** What to store instead of the client's body. Called after `validate` succeeded; absent: the body as it is. */
  toStored?(resource: FhirResource, previous?: FhirResource): FhirResource
  /** What to answer instead of the stored resource (reads, searches, history, the answer to a write); absent: as stored. */
  toAnswer?(resource: FhirResource): FhirResource
}

export interface OperationRequest {
  /** Present on instance level. The host has checked that the resource exists. */
  readonly id?: string
  readonly method: 'GET' | 'POST'
  readonly input?: Parameters
  readonly principal?: Principal
}

export interface Operation {
  /** Name without `$`. */
  readonly code: string
  readonly resourceType: string
  readonly level: 'instance' | 'type'
  readonly methods: readonly ('GET' | 'POST')[]
  readonly definition: OperationDefinition
  handle(request: OperationRequest): Promise<{ outcome?: OperationOutcome; resource?: Resource }>
}

/** Everything the module needs from a FHIR server. */
export interface FhirHost {
  readonly capabilities: {
    /** The host commits its writes in PostgreSQL transactions and passes them to `beforeCommit`.
     *  Without it, only best-effort destinations can be created. */
    readonly sqlTransactions: boolean
    /** The host can store and serve resource types it did not know before. */
    readonly customResourceTypes: boolean
  }
  registerResourceType(definition: ResourceTypeDefinition): void
  registerOperation(operation: Operation): void
  addCommitHooks(hooks: CommitHooks): void
  /** All current resources of one of the module's own types, as stored. */
  list(resourceType: string): Promise<FhirResource[]>
  /** Current resources by relative reference (`Patient/123`), as stored; missing and deleted ones, and those of a type the host does not
   *  know, are absent from the map. With `tx`, as that open transaction sees them.
   *  Used for `resolve()` in criteria and to reload the module's own types. */
  read(references: readonly string[], tx?: SqlTx): Promise<ReadonlyMap<string, FhirResource>>
  /** Relative references (`Patient/123`) of current resources, without deleted ones, in an order that never changes and does not depend on
   *  their content: that of type and id. For `$backfill`, which reads through all of them. Absent: it answers `not-supported`. */
  references?(query: ReferencesQuery): Promise<readonly string[]>
  /** For operations that look at stored versions: `$explain` takes references to them, `$dry-run` is about all of them. Absent: they answer
   *  `not-supported`. */
  readonly history?: HostHistory
  /** Throws an `OperationOutcomeError` of 401 or 403 when the principal may not do `action` on `reference`. Operations ask with their code
   *  (`status`) on the resource or type they are called on, and with `read` or `vread` on every resource whose content they use for the
   *  caller. Absent: whoever reaches an operation may call it. */
  authorize?(
    principal: Principal | undefined,
    action: string,
    reference: string,
  ): void | Promise<void>
}

/** What a FHIR server loads. `register` once, then `start`; `stop` drains. */
export interface FhirServerModule extends AsyncDisposable {
  readonly name: string
  /** Registers types, operations and hooks. Does no I/O. */
  register(host: FhirHost): void
  /** Migrates the outbox schema and starts delivery. Idempotent. */
  start(): Promise<void>
  /** Stops taking work, drains within the deadline, releases leadership. Idempotent. */
  stop(): Promise<void>
}
