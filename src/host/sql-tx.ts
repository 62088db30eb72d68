import type { SqlTx } from './types.ts'

/** The part of a pg `Client` or `PoolClient` that is used. */
export interface PgClientLike {
  query(text: string, values?: unknown[]): Promise<unknown>
}

/** The part of a `Knex.Transaction` that is used. */
export interface KnexTransactionLike {
  raw(sql: string, bindings: unknown[]): PromiseLike<unknown>
}

/** Wraps a pg client whose transaction is open. */
export function fromPg(client: PgClientLike): SqlTx {
  return {
    // A host's client decides the row type; Row is the caller's claim about its own SQL.
    query: (text, values = []) => client.query(text, [...values]) as ReturnType<SqlTx['query']>,
  } as SqlTx
}

/** Wraps an open knex transaction. `$n` becomes knex's `?`, a literal `?` (the jsonb operator) is escaped. */
export function fromKnex(trx: KnexTransactionLike): SqlTx {
  return {
    async query(text: string, values: readonly unknown[] = []) {
      const bindings: unknown[] = []
      const sql = text.replace(/\?/g, '\\?').replace(/\$(\d+)/g, (_match, n: string) => {
        bindings.push(values[Number(n) - 1])
        return '?'
      })
      return trx.raw(sql, bindings)
    },
  } as SqlTx
}
