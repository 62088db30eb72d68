import { hostname } from 'node:os'
import type { SqlTx } from '../host/types.ts'
import { outboxVersion } from './migrations.ts'
import type { OutboxSchema } from './schema.ts'

/** That this node is there, as other nodes see it. A number is never used twice: whatever was done under one that is lost is void. */
export interface NodePresence {
  /** Makes this node present, in the background when the database is away. */
  start(): Promise<void>
  /** Ends the presence at once, in the eyes of the others too. */
  stop(): Promise<void>
  /** Undefined while this node is not present. */
  readonly nodeId: number | undefined
  /** Runs statements on behalf of the present node. */
  readonly db: SqlTx
  /** Called when the presence has ended unasked. */
  onLost(callback: () => void): void
  /** Called with topics that other nodes have written events for. A presence that hears nothing never calls. */
  onNotice(callback: (topicIds: readonly number[]) => void): void
}

/** This node as operators know it: host and process. */
export function nodeName(): string {
  return `${hostname()}:${process.pid}`
}

export interface NodeRegistration {
  /** For how long it is present; absent: as long as it holds the lock of its id. */
  readonly leaseMs?: number
  /** For so long it wants kept what was delivered.
   *  @default 0 */
  readonly deliveredRetentionMs?: number
}

/** Writes a node, named for operators by host and process.
 *  @returns its number */
export async function registerNode(
  db: SqlTx,
  schema: OutboxSchema,
  { leaseMs, deliveredRetentionMs = 0 }: NodeRegistration,
): Promise<number> {
  const { rows } = await db.query<{ id: number }>(
    `insert into ${schema.node} (name, schema_version, delivered_retention_ms, lease_until)
     values ($1, $2, $3, clock_timestamp() + make_interval(secs => $4)) returning id`,
    [
      nodeName(),
      outboxVersion,
      deliveredRetentionMs,
      leaseMs === undefined ? null : leaseMs / 1000,
    ],
  )
  const [node] = rows
  if (!node) throw new Error('the node was not written')
  return node.id
}

/** SQL: the ids of the nodes that are present. `pg_locks` shows the keys of advisory locks as unsigned numbers. */
export function presentNodes(schema: OutboxSchema): string {
  return `select id from ${schema.node} where lease_until > clock_timestamp()
    union select objid::bigint::int from pg_locks
      where locktype = 'advisory' and granted and objsubid = 2 and objid::bigint between 1 and 2147483647
        and classid::bigint = ${schema.lockKey}::bigint & 4294967295
        and database = (select oid from pg_database where datname = current_database())`
}

export interface PresentNode {
  readonly nodeId: number
  readonly name: string
  readonly startedAt: Date
  /** At-least-once destinations that it leads. */
  readonly destinations: number
}

/** The nodes that are present, by name. */
export async function listNodes(db: SqlTx, schema: OutboxSchema): Promise<readonly PresentNode[]> {
  const { rows } = await db.query<PresentNode>(
    `select n.id as "nodeId", n.name, n.started_at as "startedAt",
            (select count(*)::int from ${schema.destination} d where d.leader = n.id) as destinations
       from ${schema.node} n where n.id in (${presentNodes(schema)}) order by n.name, n.id`,
  )
  return rows
}

/** Names of the present nodes whose version of the module knows less of the schema than this one, as in the middle of a rolling upgrade. The start of
 *  one is refused, but one that runs and has lost its presence takes it again, and is missing here meanwhile. */
export async function olderNodes(db: SqlTx, schema: OutboxSchema): Promise<readonly string[]> {
  const { rows } = await db.query<{ name: string }>(
    `select name from ${schema.node}
      where coalesce(schema_version, 0) < $1 and id in (${presentNodes(schema)}) order by name`,
    [outboxVersion],
  )
  return rows.map(({ name }) => name)
}

/** Forgets nodes that are not present any more. A fresh one may not have come to its lock yet. Call it each minute. */
export async function forgetAbsentNodes(db: SqlTx, schema: OutboxSchema): Promise<void> {
  await db.query(
    `delete from ${schema.node}
      where started_at < clock_timestamp() - interval '1 minute' and id not in (${presentNodes(schema)})`,
  )
}
