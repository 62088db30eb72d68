import { createHash } from 'node:crypto'
import { TopicDestinationError } from '../errors.ts'
import type { SqlTx } from '../host/types.ts'

/** What can run a statement: a transaction, or a pool through `fromPg`. Each function says which one it needs. */
export type Queryable = SqlTx

/** Slots of the event log's ring. One is written, one is next, the others are emptied when everything in them is settled. */
export const slotCount = 4

/** Names of the outbox in its PostgreSQL schema, quoted and qualified, ready to stand in a statement. */
export interface OutboxSchema {
  readonly name: string
  readonly quotedName: string
  readonly event: string
  readonly destination: string
  readonly source: string
  readonly move: string
  readonly topic: string
  readonly topicHolder: string
  readonly node: string
  readonly deadLetter: string
  readonly deliveredPage: string
  readonly job: string
  readonly undecidedEvent: string
  readonly undecidedOverflow: string
  readonly undecidedCounter: string
  readonly registryChange: string
  readonly bestEffortCounter: string
  readonly cluster: string
  readonly migration: string
  /** Current resources of the module's own types, for hosts that cannot store them. */
  readonly ownResource: string
  /** Every version of them. */
  readonly ownResourceHistory: string
  /** SQL expression: the last id drawn by any transaction, committed or not; 0 before the first.
   *  Not `SELECT last_value`: that is a scan whose cost estimate can switch the JIT compiler on. */
  readonly lastEventId: string
  /** First key of every advisory lock of this schema (`lockKeys` has the second). Advisory locks belong to the database, so the
   *  key is made from the schema's name: two outboxes in one database never meet. */
  readonly lockKey: number
  /** Events per slot of the ring. */
  readonly slotEvents: number
  slot(index: number): string
}

/** Second key of the advisory locks that are not a node's (those use its id, from 1 upwards). */
export const lockKeys = { janitor: 0, migration: -1, undecided: -2 } as const

export interface OutboxSchemaOptions {
  /** Events per slot of the ring, fixed when the tables are created.
   *  @default 100000, which is 260 MB at 2 KB an event */
  readonly slotEvents?: number
}

/** @throws TopicDestinationError `KTD_INVALID_OPTION` when PostgreSQL cannot have a schema of this name */
export function outboxSchema(
  name = 'topic_destination',
  { slotEvents = 100_000 }: OutboxSchemaOptions = {},
): OutboxSchema {
  const bytes = Buffer.byteLength(name)
  if (bytes < 1 || bytes > 63 || name.includes('\0') || name.startsWith('pg_')) {
    throw new TopicDestinationError(
      'KTD_INVALID_OPTION',
      'schema must be 1 to 63 bytes long and must not start with pg_.',
    )
  }
  const quotedName = identifier(name)
  const table = (tableName: string): string => `${quotedName}.${tableName}`
  return {
    name,
    quotedName,
    event: table('event'),
    destination: table('destination'),
    source: table('source'),
    move: table('move'),
    topic: table('topic'),
    topicHolder: table('topic_holder'),
    node: table('node'),
    deadLetter: table('dead_letter'),
    deliveredPage: table('delivered_page'),
    job: table('job'),
    undecidedEvent: table('undecided_event'),
    undecidedOverflow: table('undecided_overflow'),
    undecidedCounter: table('undecided_counter'),
    registryChange: table('registry_change'),
    bestEffortCounter: table('best_effort_counter'),
    cluster: table('cluster'),
    migration: table('migration'),
    ownResource: table('own_resource'),
    ownResourceHistory: table('own_resource_history'),
    lastEventId: `coalesce(pg_sequence_last_value(${literal(table('event_id_seq'))}::regclass), 0)`,
    lockKey: createHash('sha256').update(`fhir-topic-destination ${name}`).digest().readInt32BE(0),
    slotEvents,
    slot: (index) => table(`event_${index}`),
  }
}

/** A quoted identifier of SQL. */
export function identifier(name: string): string {
  return `"${name.replaceAll('"', '""')}"`
}

/** A string constant of SQL. */
export function literal(text: string): string {
  return `'${text.replaceAll("'", "''")}'`
}
