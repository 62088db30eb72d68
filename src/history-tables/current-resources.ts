import { referencesByType } from '../host/references-by-type.ts'
import type { FhirResource, ReferencesQuery, SqlTx } from '../host/types.ts'
import { identifier } from '../outbox/schema.ts'
import type { ResolvedLayout } from './table-layout.ts'

/** What a column of this type can hold. One id that it cannot would fail the statement for all. */
const idPatterns: ReadonlyMap<string, RegExp> = new Map([
  ['uuid', /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/],
  ['integer', /^\d{1,9}$/],
  ['bigint', /^\d{1,18}$/],
])

/** Reads the server's current resources. */
export class CurrentResources {
  readonly #layout: ResolvedLayout
  /** Type of the id column by resource type, of the tables seen so far. */
  readonly #idTypes = new Map<string, string>()

  constructor(layout: ResolvedLayout) {
    this.#layout = layout
  }

  /** By relative reference (`Patient/123`). Missing and deleted ones, and types that have no table, are absent. */
  async read(db: SqlTx, references: readonly string[]): Promise<ReadonlyMap<string, FhirResource>> {
    const idsByType = new Map<string, string[]>()
    for (const reference of references) {
      const [type = '', id = ''] = reference.split('/')
      idsByType.set(type, [...(idsByType.get(type) ?? []), id])
    }
    const found = new Map<string, FhirResource>()
    for (const [type, ids] of idsByType) {
      for (const { id, content } of await this.#readType(db, type, ids)) {
        found.set(`${type}/${id}`, JSON.parse(content) as FhirResource)
      }
    }
    return found
  }

  /** References of current resources, by type and then by id as its column orders it. */
  async references(db: SqlTx, query: ReferencesQuery): Promise<readonly string[]> {
    const types = query.types ?? (await this.#types(db))
    return referencesByType(query, types, async (type, after, limit) =>
      this.#readIds(db, type, after, limit),
    )
  }

  async #readIds(
    db: SqlTx,
    resourceType: string,
    after: string | undefined,
    limit: number,
  ): Promise<readonly string[]> {
    const { current, columns } = this.#layout
    const idType = await this.#idType(db, resourceType)
    if (idType === undefined) return []
    const id = identifier(columns.id)
    const { condition, values } = this.#isCurrent(resourceType)
    const { rows } = await db.query<{ id: string }>(
      `select ${id}::text as id from ${current.sql(resourceType)}
        where ($1::text is null or ${id} > $1::text::${idType}) and ${condition}
        order by ${id} limit ${limit}`,
      [after ?? null, ...values],
    )
    return rows.map((row) => row.id)
  }

  async #types(db: SqlTx): Promise<readonly string[]> {
    const { schema, current, typeColumn } = this.#layout
    if (current.holdsAllTypes) {
      const { rows } = await db.query<{ type: string }>(
        `select distinct ${identifier(typeColumn ?? '')}::text as type from ${current.sql('')}`,
      )
      return rows.map(({ type }) => type)
    }
    const { rows } = await db.query<{ name: string }>(
      `select c.relname as name from pg_class c join pg_namespace n on n.oid = c.relnamespace
        where n.nspname = $1 and c.relkind in ('r', 'p', 'v')`,
      [schema],
    )
    return rows.flatMap(({ name }) => current.typeOf(name) ?? []).filter(isTypeName)
  }

  /** SQL condition on a row of the current table, of which a type is wanted; its value, where it has one, is `$2`. */
  #isCurrent(resourceType: string): { condition: string; values: unknown[] } {
    const { current, columns, typeColumn, deletedColumn } = this.#layout
    const conditions = [
      `nullif(${identifier(columns.content)}::text, '') is not null`,
      ...(deletedColumn === undefined ? [] : [`${identifier(deletedColumn)} is not true`]),
      ...(current.holdsAllTypes ? [`${identifier(typeColumn ?? '')}::text = $2`] : []),
    ]
    return {
      condition: conditions.join(' and '),
      values: current.holdsAllTypes ? [resourceType] : [],
    }
  }

  async #readType(
    db: SqlTx,
    resourceType: string,
    ids: readonly string[],
  ): Promise<readonly { id: string; content: string }[]> {
    const { current, columns } = this.#layout
    const idType = await this.#idType(db, resourceType)
    if (idType === undefined) return []
    const pattern = idPatterns.get(idType)
    const possible = pattern ? ids.filter((id) => pattern.test(id)) : ids
    if (possible.length === 0) return []
    const [id, content] = [identifier(columns.id), identifier(columns.content)]
    const { condition, values } = this.#isCurrent(resourceType)
    const { rows } = await db.query<{ id: string; content: string }>(
      `select ${id}::text as id, ${content}::text as content from ${current.sql(resourceType)}
        where ${id} = any ($1::text[]::${idType}[]) and ${condition}`,
      [possible, ...values],
    )
    return rows
  }

  /** So that the index on the id is used, whatever its type. */
  async #idType(db: SqlTx, resourceType: string): Promise<string | undefined> {
    const { schema, current, columns } = this.#layout
    const known = this.#idTypes.get(resourceType)
    if (known !== undefined) return known
    const { rows } = await db.query<{ type: string }>(
      `select format_type(a.atttypid, null) as type
         from pg_attribute a join pg_class c on c.oid = a.attrelid join pg_namespace n on n.oid = c.relnamespace
        where n.nspname = $1 and c.relname = $2 and c.relkind in ('r', 'p', 'v') and a.attname = $3`,
      [schema, current.of(resourceType), columns.id],
    )
    const type = rows[0]?.type
    if (type !== undefined) this.#idTypes.set(resourceType, type)
    return type
  }
}

/** In the schema there are other tables, too. */
function isTypeName(name: string): boolean {
  return /^[A-Z][A-Za-z]*$/.test(name)
}
