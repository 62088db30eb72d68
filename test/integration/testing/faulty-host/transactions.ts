import type { Pool, PoolClient } from 'pg'
import { fromPg } from '../../../../src/host/sql-tx.ts'
import type { CommitHooks, CommitUnit, SqlTx } from '../../../../src/host/types.ts'
import { UnitOfWork } from '../../../../src/host/unit-of-work.ts'
import type { Fault } from './faults.ts'

/** An open transaction, or a savepoint in one. */
export interface Session {
  readonly client: PoolClient
  readonly unit: UnitOfWork
  readonly root: UnitOfWork
  /** What is to be written after the hooks, by a host that gets the order wrong. */
  readonly late: (() => Promise<void>)[]
  readonly depth: number
}

const attempts = 3

export class Transactions {
  readonly #pool: Pool
  readonly #hooks: readonly CommitHooks[]
  readonly #fault: Fault | undefined

  constructor(pool: Pool, hooks: readonly CommitHooks[], fault: Fault | undefined) {
    this.#pool = pool
    this.#hooks = hooks
    this.#fault = fault
  }

  async run<Result>(work: (session: Session) => Promise<Result>): Promise<Result> {
    let unit = new UnitOfWork(this.#hooks)
    for (let attempt = 1; ; attempt++) {
      try {
        return await this.#attempt(unit, work)
      } catch (error) {
        const isLostRace = (error as { code?: unknown }).code === '40001'
        const isLast = attempt === attempts || !isLostRace
        const isForgotten =
          this.#fault === 'no afterRollback' ||
          (this.#fault === 'no afterRollback before a retry' && !isLast)
        const changes = [...unit.changes]
        if (!isForgotten) this.#afterRollback(unit)
        if (isLast) throw error
        unit = new UnitOfWork(this.#hooks)
        if (this.#fault === 'one unit for all attempts') {
          for (const change of changes) unit.record(change)
        }
      }
    }
  }

  async #attempt<Result>(
    unit: UnitOfWork,
    work: (session: Session) => Promise<Result>,
  ): Promise<Result> {
    const client = await this.#pool.connect()
    const fault = this.#fault
    try {
      await client.query('begin')
      const session: Session = { client, unit, root: unit, late: [], depth: 0 }
      let result: Result
      try {
        result = await work(session)
      } catch (error) {
        if (fault === 'commits what failed') await client.query('commit')
        throw error
      }
      if (fault === 'changes in reverse order') unit.changes.reverse()
      if (fault === 'afterCommit before COMMIT') await unit.afterCommit()
      if (fault !== 'beforeCommit after COMMIT') await this.#beforeCommit(unit, client)
      for (const write of session.late) await write()
      await client.query('commit')
      if (fault === 'beforeCommit after COMMIT') await this.#beforeCommit(unit, client)
      if (fault !== 'afterCommit before COMMIT') await this.#afterCommit(unit)
      return result
    } catch (error) {
      await client.query('rollback')
      throw error
    } finally {
      client.release()
    }
  }

  async #beforeCommit(unit: UnitOfWork, client: PoolClient): Promise<void> {
    const tx = this.#tx(client)
    const fault = this.#fault
    if (fault === 'hooks after each write of a transaction') return
    if (fault === 'hooks get no tx') await callHooks(this.#hooks, unit, undefined)
    else if (fault === 'afterCommit on a silent ROLLBACK') await callHooks(this.#hooks, unit, tx)
    else if (fault === 'veto ignored') await unit.beforeCommit(tx).catch(() => undefined)
    else await unit.beforeCommit(tx)
    if (fault === 'hooks twice for a write') await callHooks(this.#hooks, unit, tx)
  }

  async #afterCommit(unit: UnitOfWork): Promise<void> {
    if (this.#fault === 'another unit for afterCommit') {
      const other: CommitUnit = { changes: unit.changes }
      for (const hooks of this.#hooks) await hooks.afterCommit(other)
    } else if (this.#fault === 'afterCommit not awaited') {
      void unit.afterCommit()
    } else await unit.afterCommit()
  }

  #afterRollback(unit: UnitOfWork): void {
    if (this.#fault === 'afterRollback after the answer') {
      // The fault itself: nobody waits for it, and it comes late.
      setTimeout(() => {
        unit.afterRollback()
      }, 500)
    } else unit.afterRollback()
  }

  #tx(client: PoolClient): SqlTx {
    const tx = fromPg(client)
    if (this.#fault === 'tx on a connection of its own') return fromPg(this.#pool)
    if (this.#fault === 'placeholders replaced in the order they stand') {
      return {
        query: (text, values) => {
          let n = 0
          return tx.query(
            text.replace(/\$\d+/g, () => `$${++n}`),
            values,
          )
        },
      }
    }
    if (this.#fault !== 'tx swallows errors') return tx
    return {
      async query<R>(text: string, values?: readonly unknown[]) {
        try {
          return await tx.query<R>(text, values)
        } catch {
          return { rows: [], rowCount: 0 }
        }
      },
    }
  }
}

/** What a host does that has not heard of UnitOfWork.beforeCommit and its guard. */
async function callHooks(
  all: readonly CommitHooks[],
  unit: UnitOfWork,
  tx: SqlTx | undefined,
): Promise<void> {
  if (unit.changes.length === 0) return
  for (const hooks of all) await hooks.beforeCommit(unit, tx)
}

/** Runs `work` in a savepoint. */
export async function runNested(
  outer: Session,
  fault: Fault | undefined,
  work: (session: Session) => Promise<void>,
): Promise<void> {
  const { client, root, depth } = outer
  const isFlat = fault === 'savepoints released into the transaction'
  const unit = isFlat ? root.savepoint() : outer.unit.savepoint()
  const savepoint = `nested${depth}`
  await client.query(`savepoint ${savepoint}`)
  try {
    await work({ ...outer, unit, depth: depth + 1 })
  } catch (error) {
    await client.query(`rollback to savepoint ${savepoint}`)
    if (fault === 'child of a savepoint kept') unit.release()
    throw error
  }
  await client.query(`release savepoint ${savepoint}`)
  if (fault !== 'child of a savepoint dropped') unit.release()
}
