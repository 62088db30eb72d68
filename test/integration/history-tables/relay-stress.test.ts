import assert from 'node:assert/strict'
import { randomInt } from 'node:crypto'
import { test, type TestContext } from 'node:test'
import { setTimeout as delay } from 'node:timers/promises'
import { Pool, type PoolClient } from 'pg'
import type { CaptureRelay } from '../../../src/history-tables/capture-relay.ts'
import type { CommitHooks } from '../../../src/host/types.ts'
import { outboxSchema } from '../../../src/outbox/schema.ts'
import { seededRandom } from '../../helpers/seeded-random.ts'
import {
  capturePlan,
  newId,
  recordingHooks,
  unitsOf,
  relayedChanges,
  startRelay,
  testCapture,
  type Capture,
} from './captures.ts'
import { put, remove } from './medplum-tables.ts'

const transactions = Number(process.env['CAPTURE_STRESS_TRANSACTIONS'] ?? 4000)
const seed = Number(process.env['CAPTURE_STRESS_SEED'] ?? randomInt(2 ** 31))
const writerCount = 10

/** Changes the resource, and in the same transaction notes what a change must be told as. */
async function change(client: PoolClient, id: string, random: () => number): Promise<void> {
  const { rows } = await client.query<{ n: number; before: number | null }>(
    'update resource set n = n + 1 where id = $1 returning n, live as before',
    [id],
  )
  const [{ n, before } = { n: 0, before: null }] = rows
  const isDelete = before !== null && random() < 0.15
  const { versionId } = isDelete
    ? await remove(client, 'Patient', id)
    : await put(client, 'Patient', id, { n, text: 'x'.repeat(random() * 300) })
  await client.query('update resource set live = $2 where id = $1', [id, isDelete ? null : n])
  const interaction = isDelete ? 'delete' : before === null ? 'create' : 'update'
  await client.query('insert into written values ($1, $2, $3, $4, $5)', [
    versionId,
    id,
    n,
    interaction,
    before,
  ])
}

async function write(
  pool: Pool,
  ids: readonly string[],
  random: () => number,
  count: number,
): Promise<void> {
  const client = await pool.connect()
  for (let left = count; left > 0; left--) {
    try {
      await writeTransaction(client, ids, random)
    } catch (error) {
      // REPEATABLE READ, as Medplum uses it: the other writer of the resource was first.
      assert.equal((error as { code?: string }).code, '40001')
      await client.query('rollback')
    }
  }
  client.release()
}

async function writeTransaction(
  client: PoolClient,
  ids: readonly string[],
  random: () => number,
): Promise<void> {
  const isRepeatable = random() < 0.3
  await client.query(`begin isolation level ${isRepeatable ? 'repeatable read' : 'read committed'}`)
  if (random() < 0.5) await client.query('select pg_current_xact_id()')
  const chosen = new Set(
    Array.from({ length: 1 + Math.floor(random() * 3) }, () => Math.floor(random() * ids.length)),
  )
  for (const index of [...chosen].toSorted((a, b) => a - b)) {
    const isNested = random() < 0.3
    if (isNested) await client.query('savepoint s')
    await change(client, ids[index] ?? '', random)
    if (random() < 0.2) await change(client, ids[index] ?? '', random)
    if (random() < 0.2) await delay(random() * 8)
    if (isNested) await client.query(random() < 0.4 ? 'rollback to s' : 'release s')
  }
  await client.query(random() < 0.1 ? 'rollback' : 'commit')
}

/** Transactions of seconds, on a resource of their own. */
async function writeSlowly(pool: Pool, id: string, stop: AbortSignal): Promise<void> {
  const client = await pool.connect()
  const random = seededRandom(seed + 1)
  while (!stop.aborted) {
    await client.query('begin')
    await change(client, id, random)
    await delay(500 + random() * 1500)
    await change(client, id, random)
    await client.query('commit')
  }
  client.release()
}

/** Fails, or loses its connection, before the COMMIT of a page. */
function unluckyHooks(random: () => number): CommitHooks {
  const hooks = recordingHooks()
  return {
    ...hooks,
    async beforeCommit(unit, tx) {
      await hooks.beforeCommit(unit, tx)
      const luck = random()
      if (luck < 0.02) throw new Error('not now')
      if (luck < 0.04) await tx?.query('select pg_terminate_backend(pg_backend_pid())')
    },
  }
}

/** Three relays, one of which is replaced all the time. */
async function relayUnluckily(
  t: TestContext,
  capture: Capture,
  isRead: AbortSignal,
): Promise<{ relay: CaptureRelay; replaced: number }> {
  const random = seededRandom(seed + 2)
  const start = (): Promise<CaptureRelay> =>
    startRelay(t, capture, {
      unitOfWork: unitsOf(unluckyHooks(random)),
      maxPageChanges: 1 + Math.floor(random() * 40),
      maxPageBytes: 1 + Math.floor(random() * 30_000),
      pollIntervalMs: 10,
    })
  const relays = [await start(), await start(), await start()]
  let replaced = 0
  while (!isRead.aborted) {
    await delay(200)
    await relays.shift()?.stop()
    relays.push(await start())
    replaced++
  }
  const [relay] = relays
  assert.ok(relay)
  return { relay, replaced }
}

test('every committed change is relayed once, in order, with the version before it', async (t) => {
  t.diagnostic(`CAPTURE_STRESS_SEED=${seed} CAPTURE_STRESS_TRANSACTIONS=${transactions}`)
  const schema = outboxSchema('captured', { slotEvents: 1000 })
  const capture = await testCapture(t, capturePlan(undefined, undefined, schema))
  const pool = new Pool({ connectionString: capture.connectionString, max: writerCount + 5 })
  pool.on('error', () => undefined)
  const ids = Array.from({ length: 30 }, newId)
  const slowId = newId()
  await pool.query(
    `create table resource (id uuid primary key, n int not null default 0, live int);
     create table written (version_id uuid, id uuid, n int, interaction text, before int)`,
  )
  await pool.query('insert into resource (id) select unnest($1::uuid[])', [[...ids, slowId]])
  const isWritten = new AbortController()
  const relaying = relayUnluckily(t, capture, isWritten.signal)
  const slow = writeSlowly(pool, slowId, isWritten.signal)
  await Promise.all(
    Array.from({ length: writerCount }, (_, writer) =>
      write(pool, ids, seededRandom(seed + 100 + writer), transactions / writerCount),
    ),
  )
  isWritten.abort()
  await slow
  const { relay, replaced } = await relaying
  assert.ok(await relay.caughtUp(60_000))
  const { rows: written } = await pool.query<{
    version_id: string
    id: string
    n: number
    interaction: string
    before: number | null
  }>('select version_id, id, n, interaction, before from written order by id, n')
  const relayed = await relayedChanges(pool)
  t.diagnostic(`${written.length} changes, ${replaced} relays replaced`)
  assert.ok(replaced > 0)
  const told = relayed
    .map(({ id, versionId, interaction, previous }, place) => ({
      id,
      place,
      line: [versionId, interaction, previous?.['n'] ?? null],
    }))
    .toSorted((a, b) => (a.id === b.id ? a.place - b.place : a.id < b.id ? -1 : 1))
  assert.deepEqual(
    told.map(({ line }) => line),
    written.map(({ version_id, interaction, before }) => [version_id, interaction, before]),
  )
  await pool.end()
})
