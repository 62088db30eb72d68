import type { Change, CommitHooks, CommitUnit, SqlTx } from './types.ts'

/** The bookkeeping of one attempt of a host transaction.
 *
 *  A host creates one per attempt and calls: `record` for each write, `savepoint` and `release` around a nested
 *  transaction (on ROLLBACK TO it just drops the child), `beforeCommit` as the last step before COMMIT, then `afterCommit`
 *  or `afterRollback`. */
export class UnitOfWork implements CommitUnit {
  readonly changes: Change[] = []
  readonly #hooks: readonly CommitHooks[]
  readonly #parent: UnitOfWork | undefined
  #isClosed = false

  constructor(hooks: readonly CommitHooks[], parent?: UnitOfWork) {
    this.#hooks = hooks
    this.#parent = parent
  }

  /** @throws Error after `beforeCommit`: the hooks have seen the unit, and a change they do not know of would be lost. */
  record(change: Change): void {
    if (this.#isClosed) {
      throw new Error(
        'A change was recorded after beforeCommit(), which must be the last step before COMMIT.',
      )
    }
    this.changes.push(change)
  }

  /** Whether a module needs `previous` of an update or delete of this type; where none does, it need not be read. */
  usesPrevious(resourceType: string): boolean {
    return this.#hooks.some((hooks) => hooks.usesPrevious?.(resourceType) ?? true)
  }

  /** A child whose changes join this unit when it is released. */
  savepoint(): UnitOfWork {
    return new UnitOfWork(this.#hooks, this)
  }

  /** RELEASE SAVEPOINT: hands this unit's changes to its parent. */
  release(): void {
    if (!this.#parent) throw new Error('release() is for savepoints; this unit has no parent')
    for (const change of this.changes.splice(0)) this.#parent.record(change)
  }

  /** Runs every hook in the transaction. A throw must roll the transaction back.
   *
   *  A host without SQL transactions calls it without `tx` before it makes its writes permanent: only best-effort destinations
   *  get them.
   *
   *  PostgreSQL answers COMMIT of an aborted transaction with the tag ROLLBACK and no error. A host or a hook that swallowed a
   *  failing statement would announce changes that never happened, so a statement must have succeeded last: one more runs here
   *  when none did, and fails with 25P02 in an aborted transaction. */
  async beforeCommit(tx?: SqlTx): Promise<void> {
    if (this.#isClosed)
      throw new Error('beforeCommit() was called twice; a retried attempt needs a unit of its own')
    this.#isClosed = true
    if (this.changes.length === 0) return
    if (!tx) {
      for (const hooks of this.#hooks) await hooks.beforeCommit(this, undefined)
      return
    }
    const last = { hasSucceeded: false }
    const watched: SqlTx = {
      async query<Row>(text: string, values?: readonly unknown[]) {
        last.hasSucceeded = false
        const result = await tx.query<Row>(text, values)
        last.hasSucceeded = true
        return result
      },
    }
    for (const hooks of this.#hooks) await hooks.beforeCommit(this, watched)
    if (!last.hasSucceeded) await tx.query('select 1')
  }

  async afterCommit(): Promise<void> {
    if (this.changes.length === 0) return
    await Promise.all(this.#hooks.map(async (hooks) => hooks.afterCommit(this)))
  }

  /** Does nothing for a unit without changes: the hooks never heard of it. */
  afterRollback(): void {
    if (this.changes.length === 0) return
    for (const hooks of this.#hooks) hooks.afterRollback(this)
    this.changes.length = 0
  }
}
