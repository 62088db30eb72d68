import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { openTransaction } from '../postgres/outbox-fixture.ts'
import { newId, outline, relayedChanges, startRelay, testCapture } from './captures.ts'
import { put, remove } from './medplum-tables.ts'

describe('captured changes', () => {
  it('tell create, update and delete apart, with both versions as stored and the time of the write', async (t) => {
    const capture = await testCapture(t)
    const { pool } = capture
    const id = newId()
    const first = await put(pool, 'Patient', id, { birthDate: '2000-01-01' })
    const second = await put(pool, 'Patient', id, {
      birthDate: '2001-01-01',
      text: 'ü "\\\u0001\n',
    })
    const third = await remove(pool, 'Patient', id)
    const fourth = await put(pool, 'Patient', id)
    const relay = await startRelay(t, capture)
    assert.ok(await relay.caughtUp(20_000))
    const changes = await relayedChanges(pool)
    const parsed = ({ content }: { content: string }): unknown => JSON.parse(content)
    const same = { resourceType: 'Patient', id }
    assert.deepEqual(
      changes.map(({ at: _at, ...change }) => change),
      [
        {
          ...same,
          interaction: 'create',
          versionId: first.versionId,
          current: parsed(first),
          currentJson: first.content,
        },
        {
          ...same,
          interaction: 'update',
          versionId: second.versionId,
          current: parsed(second),
          currentJson: second.content,
          previous: parsed(first),
        },
        {
          ...same,
          interaction: 'delete',
          versionId: third.versionId,
          previous: parsed(second),
        },
        {
          ...same,
          interaction: 'create',
          versionId: fourth.versionId,
          current: parsed(fourth),
          currentJson: fourth.content,
        },
      ],
    )
    const { rows } = await pool.query<{ at: Date }>(
      `select distinct at from ${capture.plan.schema.event} order by at`,
    )
    assert.deepEqual(
      changes.map(({ at }) => at),
      rows.map(({ at }) => at.toISOString()),
    )
  })

  it('leave out what was rolled back, savepoints too', async (t) => {
    const capture = await testCapture(t)
    const ids = [newId(), newId(), newId()]
    const gone = await openTransaction(capture.pool)
    await put(gone.tx, 'Patient', newId())
    await gone.rollback()
    const kept = await openTransaction(capture.pool)
    await put(kept.tx, 'Patient', ids[0] ?? '')
    await kept.tx.query('savepoint s')
    await put(kept.tx, 'Patient', ids[1] ?? '')
    await kept.tx.query('rollback to s')
    await kept.tx.query('savepoint s')
    await put(kept.tx, 'Observation', ids[2] ?? '')
    await kept.tx.query('release s')
    await kept.commit()
    const relay = await startRelay(t, capture)
    assert.ok(await relay.caughtUp(20_000))
    assert.deepEqual(
      (await relayedChanges(capture.pool)).map(({ resourceType, id }) => `${resourceType}/${id}`),
      [`Patient/${ids[0] ?? ''}`, `Observation/${ids[2] ?? ''}`],
    )
  })

  it('of one statement come in the order of their versions, each with the one before it', async (t) => {
    const capture = await testCapture(t)
    const [a, b] = [newId(), newId()]
    await capture.pool.query(
      `insert into "Patient_History" ("versionId", id, content, "lastUpdated")
       select gen_random_uuid(), id::uuid, content, ('2026-01-01T00:00:0' || second)::timestamptz
         from (values ($1, '{"n":3}', 3), ($2, '{"n":1}', 1), ($1, '{"n":1}', 1), ($1, '', 4), ($1, '{"n":2}', 2), ($1, '', 5)) v (id, content, second)`,
      [a, b],
    )
    const relay = await startRelay(t, capture)
    assert.ok(await relay.caughtUp(20_000))
    const changes = await relayedChanges(capture.pool)
    assert.deepEqual(
      changes
        .filter(({ id }) => id === a)
        .map(({ interaction, current, previous }) => [
          interaction,
          current?.['n'] ?? null,
          previous?.['n'] ?? null,
        ]),
      [
        ['create', 1, null],
        ['update', 2, 1],
        ['update', 3, 2],
        ['delete', null, 3],
      ],
    )
    assert.deepEqual(outline(changes.filter(({ id }) => id === b)), ['create Patient'])
  })

  it('know the version before where one transaction writes several with the same time', async (t) => {
    const capture = await testCapture(t)
    const id = newId()
    const open = await openTransaction(capture.pool)
    for (let n = 1; n <= 6; n++) {
      if (n === 3) await open.tx.query('savepoint s')
      await open.tx.query(
        `insert into "Patient_History" ("versionId", id, content, "lastUpdated") values (gen_random_uuid(), $1, $2, now())`,
        [id, `{"n":${n}}`],
      )
      if (n === 4) await open.tx.query('release s')
    }
    await open.commit()
    const relay = await startRelay(t, capture)
    assert.ok(await relay.caughtUp(20_000))
    assert.deepEqual(
      (await relayedChanges(capture.pool)).map(({ previous }) => previous?.['n'] ?? null),
      [null, 1, 2, 3, 4, 5],
    )
  })

  it('are not held up by an open transaction; what it wrote comes when it commits', async (t) => {
    const capture = await testCapture(t)
    const { pool } = capture
    const [late, early, after] = [newId(), newId(), newId()]
    const open = await openTransaction(pool)
    // Draws the first id, commits last.
    await put(open.tx, 'Patient', late)
    await put(pool, 'Patient', early)
    const relay = await startRelay(t, capture)
    assert.ok(await relay.caughtUp(20_000))
    const ids = async (): Promise<string[]> => (await relayedChanges(pool)).map(({ id }) => id)
    assert.deepEqual(await ids(), [early])
    await put(pool, 'Patient', after)
    assert.ok(await relay.caughtUp(20_000))
    assert.deepEqual(await ids(), [early, after])
    await open.commit()
    assert.ok(await relay.caughtUp(20_000))
    assert.deepEqual(await ids(), [early, after, late])
  })

  it('that hold no JSON are set aside, and their neighbours go on', async (t) => {
    const capture = await testCapture(t)
    const { pool, plan } = capture
    const [a, b] = [newId(), newId()]
    const open = await openTransaction(pool)
    await put(open.tx, 'Patient', a)
    await open.tx.query(
      `insert into "Patient_History" ("versionId", id, content, "lastUpdated") values (gen_random_uuid(), gen_random_uuid(), 'secret', now())`,
    )
    await put(open.tx, 'Patient', b)
    await open.commit()
    const relay = await startRelay(t, capture)
    assert.ok(await relay.caughtUp(20_000))
    assert.deepEqual(
      (await relayedChanges(pool)).map(({ id }) => id),
      [a, b],
    )
    const { rows } = await pool.query(`select body, error from ${plan.schema.deadLetter}`)
    assert.deepEqual(rows, [{ body: 'secret\u001e', error: 'The stored content is not JSON.' }])
  })
})
