import type { Queryable } from './schema.ts'

/** A `pg_snapshot` value: which transactions had ended when it was taken.
 *
 *  A transaction `x` is contained when `x < xmin`, or when `x < xmax` and `x` is not in `running`.
 *  Source: https://www.postgresql.org/docs/current/functions-info.html#FUNCTIONS-PG-SNAPSHOT */
export interface Snapshot {
  /** As PostgreSQL writes it: `xmin:xmax:running,…`. */
  readonly text: string
  /** The oldest transaction that had not ended. */
  readonly xmin: bigint
  /** One more than the newest transaction that had *ended*. Transactions from here upwards may be running and are not listed. */
  readonly xmax: bigint
  /** Transactions below xmax that had not ended. */
  readonly running: ReadonlySet<bigint>
}

export function parseSnapshot(text: string): Snapshot {
  const [xmin, xmax, running] = text.split(':')
  if (!xmin || !xmax) throw new RangeError(`not a pg_snapshot: ${text}`)
  return {
    text,
    xmin: BigInt(xmin),
    xmax: BigInt(xmax),
    running: new Set(running ? running.split(',').map(BigInt) : []),
  }
}

/** That of a statement run now. */
export async function currentSnapshot(db: Queryable): Promise<Snapshot> {
  const { rows } = await db.query<{ snapshot: string }>(
    'select pg_current_snapshot()::text as snapshot',
  )
  return parseSnapshot(rows[0]?.snapshot ?? '')
}
