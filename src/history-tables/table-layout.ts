import { TopicDestinationError } from '../errors.ts'
import { identifier } from '../outbox/schema.ts'

/** Where a FHIR server keeps its resources in PostgreSQL. The defaults are Medplum's. */
export interface TableLayout {
  /** PostgreSQL schema of the tables.
   *  @default 'public' */
  readonly schema?: string
  /** Table that gets one row per version, deletions too. `{type}` stands for the resource type; without it the table holds all types.
   *  @default '{type}_History' */
  readonly historyTable?: string
  /** Table of the current resources, read for `resolve()`. `{type}` as above.
   *  @default '{type}' */
  readonly currentTable?: string
  readonly columns?: ColumnNames
}

export interface ColumnNames {
  /** Resource type, in both tables. Required where a table holds all types. */
  readonly resourceType?: string
  /** Resource id, in both tables.
   *  @default 'id' */
  readonly id?: string
  /** Version, in the history table; unique per resource.
   *  @default 'versionId' */
  readonly versionId?: string
  /** The resource as JSON (text, json or jsonb), in both tables. A version without content is a deletion.
   *  @default 'content' */
  readonly content?: string
  /** Time of the version, in the history table. It orders the versions of a resource.
   *  @default 'lastUpdated' */
  readonly lastUpdated?: string
  /** Boolean of the current table: true where the resource is deleted; null where there is no such column.
   *  @default 'deleted' */
  readonly deleted?: string | null
}

const placeholder = '{type}'

/** A layout with its defaults. */
export interface ResolvedLayout {
  readonly schema: string
  readonly history: TableName
  readonly current: TableName
  readonly columns: Required<Omit<ColumnNames, 'resourceType' | 'deleted'>>
  readonly typeColumn: string | undefined
  readonly deletedColumn: string | undefined
}

/** The name of a table of each type, or of the one table for all. */
export interface TableName {
  readonly holdsAllTypes: boolean
  of(resourceType: string): string
  /** Quoted and qualified. */
  sql(resourceType: string): string
  /** The type whose table this is; '' for the one table of all types. */
  typeOf(tableName: string): string | undefined
}

/** @throws TopicDestinationError `KTD_INVALID_OPTION` */
export function resolveLayout(layout: TableLayout = {}): ResolvedLayout {
  const { schema = 'public', historyTable = '{type}_History', currentTable = '{type}' } = layout
  const { resourceType: typeColumn, deleted = 'deleted', ...columns } = layout.columns ?? {}
  const history = tableName(schema, historyTable)
  const current = tableName(schema, currentTable)
  if (typeColumn === undefined && (history.holdsAllTypes || current.holdsAllTypes)) {
    throw new TopicDestinationError(
      'KTD_INVALID_OPTION',
      'tables.columns.resourceType is required, because a table without {type} in its name holds all types.',
    )
  }
  return {
    schema,
    history,
    current,
    columns: {
      id: 'id',
      versionId: 'versionId',
      content: 'content',
      lastUpdated: 'lastUpdated',
      ...columns,
    },
    typeColumn,
    deletedColumn: deleted ?? undefined,
  }
}

function tableName(schema: string, pattern: string): TableName {
  const [before = '', after] = pattern.split(placeholder)
  const of = (resourceType: string): string => pattern.replace(placeholder, resourceType)
  return {
    holdsAllTypes: after === undefined,
    of,
    sql: (resourceType) => `${identifier(schema)}.${identifier(of(resourceType))}`,
    typeOf(name) {
      if (after === undefined) return name === pattern ? '' : undefined
      const type = name.slice(before.length, name.length - after.length)
      return type !== '' && of(type) === name ? type : undefined
    },
  }
}
