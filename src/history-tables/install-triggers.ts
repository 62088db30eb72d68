import { setTimeout as delay } from 'node:timers/promises'
import type pg from 'pg'
import { TopicDestinationError } from '../errors.ts'
import { fromPg } from '../host/sql-tx.ts'
import { migrateOutbox, migrationsSql, underMigrationLock } from '../outbox/migrations.ts'
import {
  captureFunctionSql,
  captureTriggerSql,
  dropCaptureSql,
  relayRowsSql,
} from './capture-sql.ts'
import { findHistoryTables, type CapturePlan, type WatchedTable } from './watched-tables.ts'

/** Writers of a table queue up behind the DDL that waits for a long transaction on it, so it gives up quickly and tries again. */
const lockTimeoutMs = 250
const lockAttempts = 40

/** Makes the tables of the captured changes, with the relay's cursor. Safe on all nodes at any time. */
export async function prepareCapture(pool: pg.Pool, { schema }: CapturePlan): Promise<void> {
  await migrateOutbox(pool, schema)
  await pool.query(relayRowsSql(schema))
}

/** Gives every history table of the wanted types its trigger. Comes after {@link prepareCapture}. Triggers of other types stay: another
 *  node may want them.
 *
 *  Any number of nodes may call it at the same time and as often as they like: what is in place is left alone, and costs one look into
 *  the catalogue. When it resolves, every later commit to these tables is captured: CREATE TRIGGER waits for transactions that
 *  have written to the table.
 *  @returns the tables that were given a trigger or a new function
 *  @throws TopicDestinationError `KTD_HISTORY_TABLES` */
export async function installTriggers(
  pool: pg.Pool,
  plan: CapturePlan,
): Promise<readonly string[]> {
  const tables = (await findHistoryTables(fromPg(pool), plan)).filter(({ isWanted }) => isWanted)
  // Before the first change: a trigger that fails would take the server's writes with it.
  const fault = tables.find((table) => table.fault !== undefined)?.fault
  if (fault !== undefined) throw new TopicDestinationError('KTD_HISTORY_TABLES', fault)
  if (tables.length === 0) throw noTables(plan)
  const changed: string[] = []
  for (const table of tables) {
    if (table.isUpToDate) continue
    await changeTable(pool, plan, table, installSql(plan, table))
    changed.push(table.name)
  }
  return changed
}

/** Takes all triggers of this schema and their functions away, of types that are not wanted too. What was captured and not relayed yet stays in its schema.
 *  @throws TopicDestinationError `KTD_HISTORY_TABLES` */
export async function uninstallTriggers(pool: pg.Pool, plan: CapturePlan): Promise<void> {
  for (const table of await findHistoryTables(fromPg(pool), plan)) {
    if (table.trigger === 'none') continue
    const sql = dropCaptureSql(plan.schema, plan.layout, table.resourceType)
    await changeTable(pool, plan, table, sql)
  }
}

/** What both do in a database without them, for administrators who make triggers by hand. Without `{type}` in the table's
 *  name it is one trigger; else one for each type of the plan, whose tables must exist. */
export function installTriggersSql(plan: CapturePlan): string {
  const { schema, layout, resourceTypes } = plan
  const types = layout.history.holdsAllTypes ? [''] : resourceTypes
  return [
    migrationsSql(schema),
    relayRowsSql(schema),
    ...types.map((type) => installSql(plan, { resourceType: type, trigger: 'none' })),
    '',
  ].join('\n')
}

export function uninstallTriggersSql({ schema, layout, resourceTypes }: CapturePlan): string {
  const types = layout.history.holdsAllTypes ? [''] : resourceTypes
  return [...types.map((type) => dropCaptureSql(schema, layout, type)), ''].join('\n')
}

/** A trigger that fires already is not made again: that would wait for the writers of its table. */
function installSql(
  { schema, layout, resourceTypes }: CapturePlan,
  { resourceType, trigger }: Pick<WatchedTable, 'resourceType' | 'trigger'>,
): string {
  const makeFunction = captureFunctionSql(schema, layout, resourceType, resourceTypes)
  if (trigger === 'enabled') return makeFunction
  return `${makeFunction}\n${captureTriggerSql(schema, layout, resourceType)}`
}

/** One table a transaction, so that no lock is held while another is waited for. */
async function changeTable(
  pool: pg.Pool,
  plan: CapturePlan,
  table: WatchedTable,
  sql: string,
): Promise<void> {
  for (let attempt = 1; ; attempt++) {
    try {
      await underMigrationLock(pool, plan.schema, async (client) => {
        await client.query(`set local lock_timeout = ${lockTimeoutMs}`)
        await client.query(sql)
      })
      return
    } catch (error) {
      const code = (error as { code?: unknown }).code
      if (code === '55P03' && attempt < lockAttempts) {
        await delay(lockTimeoutMs)
        continue
      }
      throw new TopicDestinationError('KTD_HISTORY_TABLES', refusal(table.name, code), {
        cause: error,
      })
    }
  }
}

function noTables({ layout }: CapturePlan): TopicDestinationError {
  return new TopicDestinationError(
    'KTD_HISTORY_TABLES',
    `There is no table ${layout.history.of('{type}')} in the schema ${layout.schema} for any of the resource types.`,
  )
}

function refusal(tableName: string, code: unknown): string {
  const change = `The triggers of the table ${tableName} could not be changed`
  if (code === '55P03') return `${change}: a transaction on it has been open for too long.`
  if (code === '42501') {
    return `${change}: the module's role needs TRIGGER on the table, and CREATE in the database for its schema.`
  }
  return `${change} (${String(code)}).`
}
