import { setTimeout as delay } from 'node:timers/promises'
import { conflict, normalizeOperationOutcome, OperationOutcomeError } from '@medplum/core'
import type { Pool, PoolClient } from 'pg'

type Callback = () => Promise<void>

/** A transaction, or a savepoint in one. */
export interface Scope {
  readonly client: PoolClient
  readonly parent: Scope | undefined
  state: 'active' | 'committing' | 'committed' | 'ended'
  readonly preCommit: Callback[]
  readonly postCommit: Callback[]
}

const attempts = 2
const retryDelayMs = 50
const retryableStates: ReadonlySet<unknown> = new Set(['40001', '40P01'])

/** The transactions of one request, as Medplum's server keeps them: REPEATABLE READ, nested ones as savepoints, the outermost one
 *  repeated once when it loses a race, and callbacks before COMMIT and after it. There is no callback for a rollback;
 *  `onRollback` is what an adapter has to add. */
export class MedplumConnection {
  readonly #pool: Pool
  readonly #onRollback: (transaction: Scope) => void
  #current: Scope | undefined

  constructor(pool: Pool, onRollback: (transaction: Scope) => void) {
    this.#pool = pool
    this.#onRollback = onRollback
  }

  get current(): Scope | undefined {
    return this.#current
  }

  async withTransaction<Result>(
    callback: (client: PoolClient) => Promise<Result>,
  ): Promise<Result> {
    for (let attempt = 1; ; attempt++) {
      const scope = await this.#begin()
      try {
        const result = await callback(scope.client)
        await this.#commit(scope)
        return result
      } catch (error) {
        await this.#rollback(scope)
        const isLast = attempt === attempts || scope.parent !== undefined
        if (isLast || !isRetryable(error)) throw normalized(error)
      }
      await delay(retryDelayMs * (0.75 + Math.random() * 0.5))
    }
  }

  /** Queued in a transaction; run at once outside. */
  async preCommit(callback: Callback): Promise<void> {
    if (this.#current) this.#current.preCommit.push(callback)
    else await callback()
  }

  async postCommit(callback: Callback): Promise<void> {
    if (this.#current) this.#current.postCommit.push(callback)
    else await callback()
  }

  async #begin(): Promise<Scope> {
    const parent = this.#current
    const client = parent?.client ?? (await this.#pool.connect())
    const scope: Scope = { client, parent, state: 'active', preCommit: [], postCommit: [] }
    await client.query(
      parent ? `savepoint sp${depth(scope)}` : 'begin isolation level repeatable read',
    )
    this.#current = scope
    return scope
  }

  async #commit(scope: Scope): Promise<void> {
    const { client, parent, preCommit, postCommit } = scope
    if (parent) {
      await client.query(`release savepoint sp${depth(scope)}`)
      scope.state = 'committed'
      parent.preCommit.push(...preCommit)
      parent.postCommit.push(...postCommit)
      this.#current = parent
      return
    }
    scope.state = 'committing'
    // A callback may queue another one: it comes last.
    for (let next = preCommit.shift(); next; next = preCommit.shift()) await next()
    await client.query('commit')
    scope.state = 'committed'
    this.#current = undefined
    client.release()
    for (const callback of postCommit) await callback()
  }

  async #rollback(scope: Scope): Promise<void> {
    if (scope.state === 'committed') return
    this.#current = scope.parent
    scope.state = 'ended'
    if (scope.parent) {
      await scope.client.query(`rollback to savepoint sp${depth(scope)}`)
      return
    }
    await scope.client.query('rollback')
    scope.client.release()
    this.#onRollback(scope)
  }
}

function depth({ parent }: Scope): number {
  return parent ? depth(parent) + 1 : 1
}

function isRetryable(error: unknown): boolean {
  const { code } = error as { readonly code?: unknown }
  const cause = error instanceof Error ? error.cause : undefined
  return retryableStates.has(code) || (cause !== undefined && isRetryable(cause))
}

/** Medplum lets nothing but outcomes out. */
function normalized(error: unknown): OperationOutcomeError {
  if (error instanceof OperationOutcomeError) return error
  const outcome = isRetryable(error) ? conflict(String(error)) : normalizeOperationOutcome(error)
  const refusal = new OperationOutcomeError(outcome)
  // The constructor takes it in one way in @medplum/core 4 and in another in 5.
  refusal.cause = error
  return refusal
}
