import { setTimeout } from 'node:timers/promises'
import type { CommitHooks, SqlTx } from '../../host/types.ts'
import { UnitOfWork } from '../../host/unit-of-work.ts'
import { isRetryable } from '../database-errors.ts'

/** An open transaction, or a savepoint in one. */
export interface Session {
  readonly tx: SqlTx
  readonly unit: UnitOfWork
  readonly attempt: Attempt
}

interface Attempt {
  readonly isSerializable: boolean
  /** Set by a nested transaction that needs more isolation than the one it is in. */
  needsSerializable: boolean
}

export interface Isolation {
  /** As if transactions ran one after another; else each statement sees what is committed when it begins. */
  readonly serializable?: boolean
}

const maxAttempts = 10
const firstDelayMs = 4
const maxDelayMs = 200

/** Runs `work` in one transaction of a database and commits it, or rolls it back when `work` throws. Resolves when the connection is
 *  given back. A serializable one is to be let in one at a time: side by side, most of them would only seem to be in each other's way,
 *  and be repeated; measured here, that takes longer, and losers could lose for ever. */
export type BeginTransaction = <Result>(
  work: (tx: SqlTx) => Promise<Result>,
  isolation: Required<Isolation>,
) => Promise<Result>

/** Runs `work` in a transaction of its own and commits it. A lost race is repeated from the start, under another unit of work:
 *  `work` must be able to run again. */
export async function runTransaction<Result>(
  begin: BeginTransaction,
  hooks: readonly CommitHooks[],
  work: (session: Session) => Promise<Result>,
  { serializable = false }: Isolation = {},
): Promise<Result> {
  let isSerializable = serializable
  for (let attemptNo = 1; ; attemptNo++) {
    const unit = new UnitOfWork(hooks)
    const attempt: Attempt = { isSerializable, needsSerializable: false }
    let result: Result
    try {
      result = await begin(
        async (tx) => {
          const done = await work({ tx, unit, attempt })
          // The callback may have caught what the nested transaction threw.
          if (attempt.needsSerializable) throw new IsolationError()
          await unit.beforeCommit(tx)
          return done
        },
        { serializable: isSerializable },
      )
    } catch (error) {
      unit.afterRollback()
      if (attempt.needsSerializable) {
        isSerializable = true
        continue
      }
      if (attemptNo >= maxAttempts || !isRetryable(error)) throw error
      await setTimeout(retryDelayMs(attemptNo))
      continue
    }
    await unit.afterCommit()
    return result
  }
}

/** Runs `work` in a savepoint: when it throws, what it wrote is undone and its changes are forgotten. */
export async function runNested<Result>(
  outer: Session,
  work: (session: Session) => Promise<Result>,
  { serializable = false }: Isolation = {},
): Promise<Result> {
  const { tx, attempt } = outer
  if (serializable && !attempt.isSerializable) {
    // The isolation of a transaction cannot be raised after its first query; runTransaction starts it again.
    attempt.needsSerializable = true
    throw new IsolationError()
  }
  const unit = outer.unit.savepoint()
  // The same name at every depth: RELEASE and ROLLBACK TO mean the innermost.
  await tx.query('savepoint nested')
  let result: Result
  try {
    result = await work({ tx, unit, attempt })
  } catch (error) {
    try {
      await tx.query('rollback to savepoint nested')
      await tx.query('release savepoint nested')
    } catch {
      // The connection is gone, and the whole transaction with it; the first error says why.
    }
    throw error
  }
  await tx.query('release savepoint nested')
  unit.release()
  return result
}

class IsolationError extends Error {
  override readonly name = 'IsolationError'

  constructor() {
    super('The transaction must be run again with more isolation.')
  }
}

/** Random, so that the losers of a race do not meet again. */
function retryDelayMs(attemptNo: number): number {
  return Math.random() * Math.min(firstDelayMs * 2 ** attemptNo, maxDelayMs)
}
