import type { Pool, PoolClient } from 'pg'
import { bodyTemplate } from './queue.ts'

/** The outbox that is written by hand most often: a row per event, taken with SKIP LOCKED, deleted when it was processed. */
export class SkipLockedOutbox {
  readonly #pool: Pool

  private constructor(pool: Pool) {
    this.#pool = pool
  }

  static async create(pool: Pool): Promise<SkipLockedOutbox> {
    await pool.query(
      `create table skip_locked (
         id bigint generated always as identity primary key, interaction text not null, resource_type text not null,
         resource_id text not null, version_id text, at timestamptz not null default now(), body text)`,
    )
    // As the module's log stores bodies: what compressing costs is not compared.
    await pool.query('alter table skip_locked alter body set storage external')
    return new SkipLockedOutbox(pool)
  }

  /** Events like those of the module's queue, a thousand a transaction. */
  async fill(events: number): Promise<void> {
    for (let start = 0; start < events; start += 1000) {
      await this.enqueue(this.#pool, start, Math.min(start + 1000, events) - 1)
    }
    // Without statistics each DELETE would look through the whole table; autovacuum might come too late.
    await this.#pool.query('analyze skip_locked')
    await this.#pool.query('checkpoint')
  }

  async enqueue(db: Pool | PoolClient, first: number, last: number): Promise<void> {
    await db.query(
      `insert into skip_locked (interaction, resource_type, resource_id, version_id, body)
       select 'create', 'QuestionnaireResponse', 'bench-' || n, '1', replace($1, '{n}', n::text) from generate_series($2::int, $3::int) n`,
      [bodyTemplate, first, last],
    )
  }

  /** @returns events a second */
  async drain(events: number, batchEvents: number): Promise<number> {
    const client = await this.#pool.connect()
    try {
      const startMs = performance.now()
      let drained = 0
      while (drained < events) {
        await client.query('begin')
        const { rows } = await client.query<{ id: string }>(
          'select * from skip_locked order by id limit $1 for update skip locked',
          [batchEvents],
        )
        if (rows.length === 0) throw new Error(`${drained} of ${events} events were there`)
        await client.query('delete from skip_locked where id = any ($1::bigint[])', [
          rows.map(({ id }) => id),
        ])
        await client.query('commit')
        drained += rows.length
      }
      return (drained / (performance.now() - startMs)) * 1000
    } finally {
      client.release()
    }
  }

  async empty(): Promise<void> {
    await this.#pool.query('truncate skip_locked')
  }
}
