import assert from 'node:assert/strict'
import { randomUUID } from 'node:crypto'
import type { Pool } from 'pg'
import { openPool } from '../../../src/database-pool.ts'
import { CaptureRelay, type CaptureRelayParts } from '../../../src/history-tables/capture-relay.ts'
import { installTriggers, prepareCapture } from '../../../src/history-tables/install-triggers.ts'
import { resolveLayout, type TableLayout } from '../../../src/history-tables/table-layout.ts'
import type { CapturePlan } from '../../../src/history-tables/watched-tables.ts'
import type { Change, CommitHooks } from '../../../src/host/types.ts'
import { UnitOfWork } from '../../../src/host/unit-of-work.ts'
import { silentLogger } from '../../../src/observability/logger.ts'
import { outboxSchema, type OutboxSchema } from '../../../src/outbox/schema.ts'
import { testDatabase, type CleanUp, type TestDatabase } from '../../helpers/postgres.ts'
import { createMedplumTables } from './medplum-tables.ts'

export interface Capture extends TestDatabase {
  readonly plan: CapturePlan
}

export function capturePlan(
  resourceTypes: readonly string[] = ['Patient', 'Observation'],
  layout: TableLayout = {},
  schema: OutboxSchema = outboxSchema('captured'),
): CapturePlan {
  return { schema, layout: resolveLayout(layout), resourceTypes }
}

/** Schema and triggers, as a node does at its start. */
export async function install(pool: Pool, plan: CapturePlan): Promise<readonly string[]> {
  await prepareCapture(pool, plan)
  return installTriggers(pool, plan)
}

/** A database with Medplum's tables and the triggers on them. */
export async function testCapture(t: CleanUp, plan: CapturePlan = capturePlan()): Promise<Capture> {
  const database = await testDatabase(t)
  await createMedplumTables(database.pool, 'Patient', 'Observation')
  await install(database.pool, plan)
  return { ...database, plan }
}

/** A stand-in for the module: writes down what it is given, in the transaction it is given. */
export function recordingHooks(): CommitHooks {
  return {
    async beforeCommit({ changes }, tx) {
      assert.ok(tx)
      for (const change of changes) {
        await tx.query('insert into relayed (change) values ($1)', [JSON.stringify(change)])
      }
    },
    afterCommit: () => Promise.resolve(),
    afterRollback: () => undefined,
  }
}

export function unitsOf(...hooks: readonly CommitHooks[]): () => UnitOfWork {
  return () => new UnitOfWork(hooks)
}

export async function createRelayed(pool: Pool): Promise<void> {
  await pool.query(
    'create table if not exists relayed (place bigserial primary key, change jsonb not null)',
  )
}

export type RelayedChange = Omit<Change, 'at'> & { readonly at: string }

/** What the recording hooks wrote down, in order. */
export async function relayedChanges(pool: Pool): Promise<readonly RelayedChange[]> {
  const { rows } = await pool.query<{ change: RelayedChange }>(
    'select change from relayed order by place',
  )
  return rows.map(({ change }) => change)
}

/** One node's relay; ended by the test or after it. */
export async function startRelay(
  t: CleanUp,
  { connectionString, plan }: Capture,
  parts: Partial<CaptureRelayParts> = {},
): Promise<CaptureRelay> {
  const pool = openPool(connectionString, silentLogger)
  const relay = new CaptureRelay({
    database: connectionString,
    pool,
    schema: plan.schema,
    unitOfWork: unitsOf(recordingHooks()),
    maxPageChanges: 500,
    maxPageBytes: 8 * 1024 * 1024,
    pollIntervalMs: 20,
    logger: silentLogger,
    ...parts,
  })
  await createRelayed(pool)
  await relay.start()
  t.after?.(async () => {
    await relay.stop()
    await pool.end()
  })
  return relay
}

export const newId = (): string => randomUUID()

/** `create Patient`, without what differs from run to run. */
export function outline(changes: readonly RelayedChange[]): string[] {
  return changes.map(({ interaction, resourceType }) => `${interaction} ${resourceType}`)
}
