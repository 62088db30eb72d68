import assert from 'node:assert/strict'
import { spawn, type ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { describe, it, type TestContext } from 'node:test'
import { fileURLToPath } from 'node:url'
import type { Pool } from 'pg'
import { silentLogger, type Logger } from '../../../src/observability/logger.ts'
import { cleanOutbox, deleteSettledEvents } from '../../../src/outbox/cleanup.ts'
import { fromPg } from '../../../src/host/sql-tx.ts'
import { cursorRow, eventually, openTransaction } from '../postgres/outbox-fixture.ts'
import {
  createRelayed,
  newId,
  recordingHooks,
  unitsOf,
  relayedChanges,
  startRelay,
  testCapture,
} from './captures.ts'
import { put } from './medplum-tables.ts'

async function versionsRelayed(pool: Pool): Promise<(string | undefined)[]> {
  return (await relayedChanges(pool)).map(({ versionId }) => versionId)
}

/** Counts how often a relay has begun to lead. */
function countingLogger(): { logger: Logger; leads: () => number } {
  let count = 0
  const logger: Logger = {
    ...silentLogger,
    info: (_fields, message) => {
      if (message === 'relaying captured changes') count++
    },
  }
  return { logger, leads: () => count }
}

describe('the relay', () => {
  it('runs on one node; another takes over when that one stops or its session is cut', async (t) => {
    const capture = await testCapture(t)
    const { pool } = capture
    const { logger, leads } = countingLogger()
    const written: string[] = []
    const write = async (): Promise<void> => {
      written.push((await put(pool, 'Patient', newId())).versionId)
    }
    const first = await startRelay(t, capture, { logger })
    await eventually(() => Promise.resolve(leads() === 1))
    const second = await startRelay(t, capture, { logger })
    await write()
    assert.ok(await second.caughtUp(20_000))
    assert.equal(leads(), 1)
    await first.stop()
    await write()
    assert.ok(await second.caughtUp(20_000))
    assert.equal(leads(), 2)
    const third = await startRelay(t, capture, { logger })
    const { rows } = await pool.query(
      `select pg_terminate_backend(pid) from pg_locks
        where locktype = 'advisory' and classid::bigint = $1::int::bit(32)::bigint
          and database = (select oid from pg_database where datname = current_database())
          and objid::bigint = (select leader from ${capture.plan.schema.destination})`,
      [capture.plan.schema.lockKey],
    )
    assert.equal(rows.length, 1)
    await write()
    assert.ok(await third.caughtUp(20_000))
    await eventually(() => Promise.resolve(leads() === 3))
    assert.deepEqual(await versionsRelayed(pool), written)
  })

  it('repeats a page whose transaction fails, and moves it once', async (t) => {
    const capture = await testCapture(t)
    const { pool } = capture
    const hooks = recordingHooks()
    let failures = 0
    const failing = {
      ...hooks,
      async beforeCommit(...[unit, tx]: Parameters<typeof hooks.beforeCommit>) {
        await hooks.beforeCommit(unit, tx)
        failures++
        if (failures === 1) throw new Error('not now')
        if (failures === 2) await tx?.query('select pg_terminate_backend(pg_backend_pid())')
      },
    }
    const written = [await put(pool, 'Patient', newId()), await put(pool, 'Patient', newId())]
    const relay = await startRelay(t, capture, { unitOfWork: unitsOf(failing) })
    assert.ok(await relay.caughtUp(20_000))
    assert.equal(failures, 3)
    assert.deepEqual(
      await versionsRelayed(pool),
      written.map(({ versionId }) => versionId),
    )
  })

  it('does not lose a change that was written, and not committed, while a page was moved', async (t) => {
    const capture = await testCapture(t)
    const { pool } = capture
    const hooks = recordingHooks()
    let late: Awaited<ReturnType<typeof openTransaction>> | undefined
    const slow = {
      ...hooks,
      async beforeCommit(...[unit, tx]: Parameters<typeof hooks.beforeCommit>) {
        await hooks.beforeCommit(unit, tx)
        if (late) return
        late = await openTransaction(pool)
        await put(late.tx, 'Patient', newId(), { text: 'late' })
      },
    }
    const relay = await startRelay(t, capture, { unitOfWork: unitsOf(slow) })
    for (let n = 0; n < 5; n++) {
      await put(pool, 'Patient', newId())
      assert.ok(await relay.caughtUp(20_000))
    }
    await late?.commit()
    await put(pool, 'Patient', newId())
    assert.ok(await relay.caughtUp(20_000))
    const texts = (await relayedChanges(pool)).map(({ current }) => current?.['text'])
    assert.equal(texts.length, 7)
    assert.ok(texts.includes('late'))
  })

  it('lets the log be emptied when nobody wants the changes', async (t) => {
    const capture = await testCapture(t)
    const { pool, plan } = capture
    for (let n = 0; n < 20; n++) await put(pool, 'Patient', newId())
    const relay = await startRelay(t, capture, { unitOfWork: unitsOf() })
    assert.ok(await relay.caughtUp(20_000))
    const outbox = { ...capture, db: fromPg(pool), schema: plan.schema }
    await eventually(async () => {
      const { low, pos } = await cursorRow(outbox, 1)
      return low === pos
    })
    await deleteSettledEvents(fromPg(pool), plan.schema, 0)
    await cleanOutbox(fromPg(pool), plan.schema)
    const { rows } = await pool.query(`select from ${plan.schema.event}`)
    assert.equal(rows.length, 0)
  })

  it('moves every change exactly once, however often its process is killed', async (t) => {
    const capture = await testCapture(t)
    const { pool } = capture
    await createRelayed(pool)
    const written: string[] = []
    const isWritten = new AbortController()
    const writers = Array.from({ length: 4 }, async () => {
      const id = newId()
      for (let n = 0; n < 250; n++) written.push((await put(pool, 'Patient', id, { n })).versionId)
    })
    const writing = Promise.all(writers).finally(() => {
      isWritten.abort()
    })
    let kills = 0
    while (!isWritten.signal.aborted || kills < 6) {
      const child = await startProcess(t, capture.connectionString)
      const before = (await versionsRelayed(pool)).length
      await eventually(async () => {
        const now = (await versionsRelayed(pool)).length
        return now > before || (isWritten.signal.aborted && now === written.length)
      })
      await kill(child)
      kills++
    }
    await writing
    t.diagnostic(`${kills} kills`)
    const relay = await startRelay(t, capture)
    assert.ok(await relay.caughtUp(20_000))
    const changes = await relayedChanges(pool)
    assert.deepEqual(changes.map(({ versionId }) => versionId ?? '').toSorted(), written.toSorted())
    for (const id of new Set(changes.map((change) => change.id))) {
      const order = changes.filter((change) => change.id === id)
      assert.deepEqual(
        order.map(({ current }) => current?.['n']),
        order.map((_change, n) => n),
      )
    }
  })
})

async function startProcess(t: TestContext, connectionString: string): Promise<ChildProcess> {
  const child = spawn(
    process.execPath,
    [
      '--import',
      'tsx',
      fileURLToPath(new URL('relay-process.ts', import.meta.url)),
      connectionString,
    ],
    { stdio: ['ignore', 'pipe', 'inherit'] },
  )
  t.after(() => child.kill('SIGKILL'))
  await once(child.stdout, 'data')
  return child
}

async function kill(child: ChildProcess): Promise<void> {
  const exit = once(child, 'exit')
  child.kill('SIGKILL')
  await exit
}
