import type { OutboxSchema, Queryable } from '../outbox/schema.ts'
import { captureBody } from './capture-sql.ts'
import type { ResolvedLayout } from './table-layout.ts'

/** What is installed where. */
export interface CapturePlan {
  /** Of the captured changes. */
  readonly schema: OutboxSchema
  readonly layout: ResolvedLayout
  readonly resourceTypes: readonly string[]
}

/** A history table in the database. */
export interface WatchedTable {
  /** '' for the one table of all types. */
  readonly resourceType: string
  readonly name: string
  readonly isWanted: boolean
  readonly trigger: 'none' | 'disabled' | 'enabled'
  /** The trigger fires and runs what this version of the module would have it run. */
  readonly isUpToDate: boolean
  /** Why the trigger would fail, and with it each write of the server. */
  readonly fault: string | undefined
}

interface TableRow {
  readonly name: string
  readonly columns: readonly string[]
  readonly may_read: boolean
  readonly body: string | null
  readonly enabled: boolean | null
}

/** The history tables that are there now, those of types that are not wanted too. */
export async function findHistoryTables(
  db: Queryable,
  plan: CapturePlan,
): Promise<readonly WatchedTable[]> {
  const { schema, layout, resourceTypes } = plan
  const { rows } = await db.query<TableRow>(
    `select c.relname as name, has_table_privilege(c.oid, 'select') as may_read, p.prosrc as body, t.tgenabled in ('O', 'A') as enabled,
            array(select attname::text from pg_attribute where attrelid = c.oid and attnum > 0 and not attisdropped) as columns
       from pg_class c
       join pg_namespace n on n.oid = c.relnamespace
       left join pg_trigger t on t.tgrelid = c.oid and t.tgname = $2
       left join pg_proc p on p.oid = t.tgfoid
      where n.nspname = $1 and c.relkind in ('r', 'p')
      order by c.relname`,
    [layout.schema, schema.name],
  )
  const tables: WatchedTable[] = []
  for (const row of rows) {
    const resourceType = layout.history.typeOf(row.name)
    if (resourceType === undefined) continue
    const body = captureBody(schema, layout, resourceType, resourceTypes)
    const trigger = row.body === null ? 'none' : row.enabled === true ? 'enabled' : 'disabled'
    tables.push({
      resourceType,
      name: row.name,
      isWanted: layout.history.holdsAllTypes || resourceTypes.includes(resourceType),
      trigger,
      isUpToDate: trigger === 'enabled' && row.body === body,
      fault: faultOf(row, layout),
    })
  }
  return tables
}

function faultOf(row: TableRow, { columns, typeColumn }: ResolvedLayout): string | undefined {
  const needed = [...Object.values(columns), ...(typeColumn === undefined ? [] : [typeColumn])]
  const missing = needed.filter((name) => !row.columns.includes(name))
  if (missing.length > 0) {
    return `The table ${row.name} has no column ${missing.join(', ')}. Set tables.columns to the names it has.`
  }
  return row.may_read
    ? undefined
    : `The module's role may not read the table ${row.name}: grant it SELECT.`
}
