import { fromPg } from '../../../../src/host/sql-tx.ts'
import type { Change } from '../../../../src/host/types.ts'
import type { UnitOfWork } from '../../../../src/host/unit-of-work.ts'
import type { MedplumConnection, Scope } from './connection.ts'

/** What a module needs in a server that has `preCommit` and `postCommit` callbacks.
 *
 *  A change is recorded by a callback of its own. The server's rules for callbacks are then the rules for changes: they join the
 *  transaction when their savepoint is released, vanish when it is rolled back, and come in the order of the writes. */
export class CommitHookAdapter {
  readonly #createUnit: () => UnitOfWork
  readonly #units = new WeakMap<Scope, UnitOfWork>()

  constructor(createUnit: () => UnitOfWork) {
    this.#createUnit = createUnit
  }

  /** To be called inside the transaction of the write: in Medplum's `writeToDatabase` and `deleteResource`. After it, `preCommit`
   *  would run at once, on no transaction. */
  async record(connection: MedplumConnection, change: Change): Promise<void> {
    await connection.preCommit(async () => {
      const transaction = connection.current
      if (!transaction) throw new Error('A change was recorded outside of its transaction.')
      const unit = this.#units.get(transaction) ?? (await this.#begin(connection, transaction))
      unit.record(change)
    })
  }

  /** To be called when a transaction was rolled back, once for each attempt. */
  rolledBack(transaction: Scope): void {
    this.#units.get(transaction)?.afterRollback()
  }

  /** The first change that comes up before COMMIT: the others are queued already, and the hooks queue behind them. */
  async #begin(connection: MedplumConnection, transaction: Scope): Promise<UnitOfWork> {
    const unit = this.#createUnit()
    this.#units.set(transaction, unit)
    await connection.preCommit(() => unit.beforeCommit(fromPg(transaction.client)))
    await connection.postCommit(() => unit.afterCommit())
    return unit
  }
}
