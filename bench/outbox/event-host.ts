import { randomUUID } from 'node:crypto'
import type { Pool } from 'pg'
import type { CommitHooks, FhirHost, FhirResource } from '../../src/host/types.ts'
import { UnitOfWork } from '../../src/host/unit-of-work.ts'
import { unitTransaction } from '../../test/helpers/unit-transaction.ts'
import { benchResponse } from '../bench-resources.ts'

/** A host whose transactions write nothing of their own: the outbox alone is measured. */
export class EventHost implements FhirHost {
  readonly capabilities = { sqlTransactions: true, customResourceTypes: true } as const
  readonly #pool: Pool
  readonly #hooks: CommitHooks[] = []

  constructor(pool: Pool) {
    this.#pool = pool
  }

  registerResourceType(): void {}

  registerOperation(): void {}

  addCommitHooks(hooks: CommitHooks): void {
    this.#hooks.push(hooks)
  }

  async list(resourceType: string): Promise<FhirResource[]> {
    const { rows } = await this.#pool.query<{ body: FhirResource }>(
      'select body from resource where reference like $1',
      [`${resourceType}/%`],
    )
    return rows.map(({ body }) => body)
  }

  async read(_references: readonly string[]): Promise<ReadonlyMap<string, FhirResource>> {
    return Promise.resolve(new Map())
  }

  /** One transaction with one event.
   *  @param onCommit called with the resource's id when COMMIT is sent */
  async create(onCommit: (id: string) => void): Promise<void> {
    const id = randomUUID()
    const current = {
      ...(benchResponse() as FhirResource),
      id,
      meta: { versionId: '1' },
    }
    const unit = new UnitOfWork(this.#hooks)
    unit.record({
      interaction: 'create',
      resourceType: current.resourceType,
      id,
      versionId: '1',
      current,
      currentJson: JSON.stringify(current),
    })
    await unitTransaction(this.#pool, unit, () => Promise.resolve(), {
      onCommit: () => {
        onCommit(id)
      },
    })
  }
}
