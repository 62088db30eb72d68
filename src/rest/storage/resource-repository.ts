import { randomUUID } from 'node:crypto'
import { notFound, OperationOutcomeError } from '@medplum/core'
import type { Bundle } from '@medplum/fhirtypes'
import type { CommitHooks, FhirResource, SqlTx } from '../../host/types.ts'
import { badRequestError } from '../outcomes.ts'
import type { WriteCondition } from '../preconditions.ts'
import { applyAnyPatch, type Patch } from '../patch/patch.ts'
import { historyBundle } from './history-bundle.ts'
import {
  confirmStored,
  createStored,
  currentContent,
  deleteStored,
  patchStored,
  prepareCandidate,
  updateStored,
  type WriteContext,
  type Written,
} from './resource-writes.ts'
import {
  runNested,
  runTransaction,
  type BeginTransaction,
  type Isolation,
  type Session,
} from './transactions.ts'

export interface RepositoryParts extends WriteContext {
  /** Outside of transactions. */
  readonly db: SqlTx
  readonly begin: BeginTransaction
  readonly hooks: readonly CommitHooks[]
}

const defaultHistoryCount = 100
const maxHistoryCount = 1000

/** Versioned resources for one request. What it answers has been through `toAnswer` of its type.
 *
 *  A write outside `withTransaction` is a transaction of its own. Inside, everything that is called on this same object takes
 *  part in the open transaction. */
export class ResourceRepository {
  readonly #parts: RepositoryParts
  #session: Session | undefined

  /** @param session an open transaction of the host, which every write takes part in and which the host commits */
  constructor(parts: RepositoryParts, session?: Session) {
    this.#parts = parts
    this.#session = session
  }

  /** Where a statement sees what this object has written. */
  get tx(): SqlTx {
    return this.#session?.tx ?? this.#parts.db
  }

  readonly toAnswer = (stored: FhirResource): FhirResource =>
    this.#parts.types.get(stored.resourceType)?.toAnswer?.(stored) ?? stored

  generateId(): string {
    return randomUUID()
  }

  /** Types of modules keep the id of their body, like everything with `assignedId`. */
  async create(resource: FhirResource, assignedId = false): Promise<FhirResource> {
    const keepsId = assignedId || this.#parts.types.has(resource.resourceType)
    const id = (keepsId ? resource.id : undefined) ?? this.generateId()
    const candidate = prepareCandidate(this.#parts, resource, id)
    const stored = await this.#write(async (session) =>
      createStored(this.#parts, session, candidate),
    )
    return this.toAnswer(stored)
  }

  async update(resource: FhirResource, condition: WriteCondition = {}): Promise<Written> {
    const candidate = prepareCandidate(this.#parts, resource, resource.id)
    const { stored, isCreated } = await this.#write(async (session) =>
      updateStored(this.#parts, session, candidate, condition),
    )
    return { stored: this.toAnswer(stored), isCreated }
  }

  async patch(
    resourceType: string,
    id: string,
    patch: Patch,
    condition: WriteCondition = {},
  ): Promise<FhirResource> {
    const apply = (resource: FhirResource): FhirResource => applyAnyPatch(resource, patch)
    const { stored } = await this.#write(async (session) =>
      patchStored(this.#parts, session, { resourceType, id }, apply, condition),
    )
    return this.toAnswer(stored)
  }

  async delete(resourceType: string, id: string, condition: WriteCondition = {}): Promise<void> {
    await this.#write(async (session) =>
      deleteStored(this.#parts, session, { resourceType, id }, condition),
    )
  }

  /** For a create whose condition has found the resource: what follows from one of a module's type is waited for, too. */
  async confirm(resourceType: string, id: string): Promise<void> {
    if (!this.#parts.types.has(resourceType)) return
    await this.#write(async (session) => confirmStored(this.#parts, session, { resourceType, id }))
  }

  async read(resourceType: string, id: string): Promise<FhirResource> {
    const row = await this.#parts.versions.readCurrent(this.tx, resourceType, id)
    return this.toAnswer(currentContent(this.#parts, resourceType, row))
  }

  async readVersion(resourceType: string, id: string, vid: string): Promise<FhirResource> {
    // No more digits than a version can have.
    const row = /^[1-9]\d{0,8}$/.test(vid)
      ? await this.#parts.versions.readVersion(this.tx, resourceType, id, Number(vid))
      : undefined
    return this.toAnswer(currentContent(this.#parts, resourceType, row))
  }

  async readHistory(
    resourceType: string,
    id: string,
    options: { readonly offset?: number; readonly limit?: number } = {},
  ): Promise<Bundle> {
    const { versions, caller } = this.#parts
    const offset = checkedCount('_offset', options.offset ?? 0)
    const limit = Math.min(
      checkedCount('_count', options.limit ?? defaultHistoryCount),
      maxHistoryCount,
    )
    const current = await versions.readCurrent(this.tx, resourceType, id)
    if (!current) throw new OperationOutcomeError(notFound)
    const rows = await versions.readHistory(this.tx, resourceType, id, { offset, limit })
    const baseUrl = caller.clientBaseUrl
    // Versions are numbered without gaps.
    const total = current.version_id
    return historyBundle({ resourceType, id, baseUrl, total, offset, limit, rows }, this.toAnswer)
  }

  /** Commits what `work` does on this object, all or nothing. A lost race calls it again; inside an open transaction it is
   *  a savepoint. */
  async withTransaction<Result>(
    work: () => Promise<Result>,
    isolation: Isolation = {},
  ): Promise<Result> {
    const outer = this.#session
    const within = async (session: Session): Promise<Result> => {
      this.#session = session
      try {
        return await work()
      } finally {
        this.#session = outer
      }
    }
    return outer
      ? runNested(outer, within, isolation)
      : runTransaction(this.#parts.begin, this.#parts.hooks, within, isolation)
  }

  async #write<Result>(work: (session: Session) => Promise<Result>): Promise<Result> {
    if (this.#session) return work(this.#session)
    return runTransaction(this.#parts.begin, this.#parts.hooks, work)
  }
}

function checkedCount(name: string, count: number): number {
  if (Number.isSafeInteger(count) && count >= 0) return count
  throw badRequestError(`${name} must be a whole number from 0.`, 'value')
}
