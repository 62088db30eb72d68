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

  constructor(hooks: readonly CommitHooks[], parent?: UnitOfWork) {
    this.#hooks = hooks
    this.#parent = parent
  }

  record(change: Change): void {
    this.changes.push(change)
  }

  /** A child whose changes join this unit when it is released. */
  savepoint(): UnitOfWork {
    return new UnitOfWork(this.#hooks, this)
  }

  /** RELEASE SAVEPOINT: hands this unit's changes to its parent. */
  release(): void {
    if (!this.#parent) throw new Error('release() is for savepoints; this unit has no parent')
    this.#parent.changes.push(...this.changes.splice(0))
  }

  /** Runs every hook in the transaction. A throw must roll the transaction back.
   *
   *  A host without SQL transactions calls it without `tx` before it makes its writes permanent: only best-effort destinations
   *  get them.
   *
   *  PostgreSQL answers COMMIT of an aborted transaction with the tag ROLLBACK and no error. A host that swallowed the failing
   *  statement would announce changes that never happened, so at least one statement runs here: it fails with 25P02 then. */
  async beforeCommit(tx?: SqlTx): Promise<void> {
    if (this.changes.length === 0) return
    if (!tx) {
      for (const hooks of this.#hooks) await hooks.beforeCommit(this, undefined)
      return
    }
    let statements = 0
    const counted: SqlTx = {
      query: (text, values) => {
        statements++
        return tx.query(text, values)
      },
    }
    for (const hooks of this.#hooks) await hooks.beforeCommit(this, counted)
    if (statements === 0) await tx.query('select 1')
  }

  async afterCommit(): Promise<void> {
    if (this.changes.length === 0) return
    await Promise.all(this.#hooks.map(async (hooks) => hooks.afterCommit(this)))
  }

  afterRollback(): void {
    for (const hooks of this.#hooks) hooks.afterRollback(this)
    this.changes.length = 0
  }
}
