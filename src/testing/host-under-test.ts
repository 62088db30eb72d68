import type { FhirResource, FhirServerModule, SqlTx } from '../host/types.ts'

/** What a host may be unable to do, and what the suite needs to see that it can. */
export const hostAbilities = {
  sqlTransactions: 'commits in PostgreSQL transactions and passes them to hooks (`database`)',
  transactions: 'makes several writes in one transaction (`transaction`)',
  savepoints: 'undoes a part of a transaction alone (`nested` of TransactionWrites)',
  statements: 'runs SQL of its caller in an open transaction (`sql` of TransactionWrites)',
  retries: 'runs a transaction again that lost a race (SQLSTATE 40001)',
  patch: 'has PATCH (`patch` of HostWrites)',
  updateAsCreate: 'creates a resource by an update of an id that is not there',
  history: 'reads what it has stored before (`FhirHost.history`)',
  references: 'lists its current resources in a fixed order (`FhirHost.references`)',
  rest: 'serves FHIR REST (`rest`)',
  bundles: 'takes batch and transaction Bundles over REST',
  requestHeaders: 'passes the correlation id and traceparent of a request on',
  customResourceTypes: 'stores and serves resource types it did not know before',
  refusedCaller: 'knows callers that `authorize` refuses (`rest.refusedHeaders`)',
} as const
export type HostAbility = keyof typeof hostAbilities

/** A host as its author hands it to the suite. */
export interface HostUnderTest {
  /** Starts the server with `module` loaded, as it would load any module: `module.register(host)`, `await module.start()`, then
   *  take writes. Called once for each case. Cases may share a database: every id is new. The pool needs three connections. */
  start(module: FhirServerModule): Promise<RunningHost>
  /** What the host cannot do, each with the reason in words. Cases that need it are skipped and say so. */
  readonly lacks?: Partial<Readonly<Record<HostAbility, string>>>
  /** A resource of a type the server takes, different for each `text`, without id.
   *  @default a Patient with `text` as family name */
  readonly sample?: (text: string) => FhirResource
}

/** One started server. Members that are optional belong to an ability; say in `lacks` why one is not there. */
export interface RunningHost {
  /** Writes as a request makes them, each in a transaction of its own. */
  readonly writes: HostWrites
  /** Makes the writes of `work` in one transaction and commits it; a rejection of `work` rolls it back and is passed on. */
  transaction?(work: (writes: TransactionWrites) => Promise<void>): Promise<void>
  /** Another connection to the same database, with the right to create a schema: `fromPg(pool)`. */
  readonly database?: SqlTx
  readonly rest?: RestAccess
  /** Ends the server and stops the module. */
  stop(): Promise<void>
}

/** Every method resolves when the client would be answered, with the resource as the client would get it, and rejects when
 *  the client would be told that the write failed. */
export interface HostWrites {
  /** POST: the server draws the id. */
  create(resource: FhirResource): Promise<FhirResource>
  /** PUT: `resource` has an id. */
  update(resource: FhirResource): Promise<FhirResource>
  delete(resourceType: string, id: string): Promise<void>
  /** PATCH, with a JSON Patch (RFC 6902). */
  patch?(resourceType: string, id: string, operations: readonly JsonPatchStep[]): Promise<unknown>
}

/** A JSON Patch operation; the suite sends only these. */
export interface JsonPatchStep {
  readonly op: 'add'
  readonly path: string
  readonly value: unknown
}

/** Writes of one open transaction. */
export interface TransactionWrites extends HostWrites {
  /** Makes the writes of `work` in a savepoint. A rejection of `work` rolls back to it and is passed on. */
  nested?(work: (writes: TransactionWrites) => Promise<void>): Promise<void>
  /** Runs one statement on the connection of the transaction, and rejects when it fails. */
  sql?(statement: string): Promise<unknown>
}

export interface RestAccess {
  /** `http://127.0.0.1:8080/fhir` */
  readonly baseUrl: string
  /** Headers that every request needs, for a caller who may do everything. */
  readonly headers?: Readonly<Record<string, string>>
  /** Headers instead of `headers`, for a caller whom `authorize` refuses. */
  readonly refusedHeaders?: Readonly<Record<string, string>>
  /** Header whose value becomes `Change.correlationId`.
   *  @default 'x-topic-correlation-id' */
  readonly correlationHeader?: string
}
