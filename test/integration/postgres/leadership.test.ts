import assert from 'node:assert/strict'
import { describe, it, type TestContext } from 'node:test'
import { silentLogger } from '../../../src/observability/logger.ts'
import {
  isEpochCurrent,
  Leadership,
  type LeadershipOptions,
} from '../../../src/outbox/leadership.ts'
import { EventCursor } from '../../../src/outbox/event-cursor.ts'
import {
  addDestination,
  drain,
  eventually,
  openTransaction,
  testOutbox,
  write,
  type Outbox,
} from './outbox-fixture.ts'

async function startNode(
  t: TestContext,
  { connectionString, schema }: Outbox,
  name: string,
  options: LeadershipOptions = {},
): Promise<Leadership> {
  const config = { connectionString, application_name: name }
  const leadership = new Leadership(config, schema, silentLogger, options)
  t.after(() => leadership.stop())
  await leadership.start()
  return leadership
}

function lost(leadership: Leadership): Promise<void> {
  return new Promise((resolve) => {
    leadership.onLost(resolve)
  })
}

/** The epoch under which the node wins the destination, when it can at last. */
async function win(leadership: Leadership, destinationId: number): Promise<number> {
  let epoch = 0
  await eventually(async () => {
    const [led] = await leadership.tryLead([destinationId])
    epoch = led?.epoch ?? 0
    return led !== undefined
  })
  return epoch
}

describe('leadership', () => {
  it('belongs to one of two nodes, each destination by itself', async (t) => {
    const outbox = await testOutbox(t)
    const one = (await addDestination(outbox, 'one')).destinationId
    const two = (await addDestination(outbox, 'two')).destinationId
    const [a, b] = [await startNode(t, outbox, 'a'), await startNode(t, outbox, 'b')]
    assert.deepEqual(await a.tryLead([one]), [{ destinationId: one, epoch: 1 }])
    assert.deepEqual(await b.tryLead([one, two]), [{ destinationId: two, epoch: 1 }])
    assert.deepEqual(await a.tryLead([one, two]), [])
    assert.deepEqual(await b.tryLead([]), [])
  })

  it('is given up by resign and by stop', async (t) => {
    const outbox = await testOutbox(t)
    const { destinationId } = await addDestination(outbox, 'one')
    const [a, b] = [await startNode(t, outbox, 'a'), await startNode(t, outbox, 'b')]
    // Asked twice at once, a session must not take its lock twice: it gives it back once.
    const both = await Promise.all([a.tryLead([destinationId]), a.tryLead([destinationId])])
    assert.deepEqual(both.flat(), [{ destinationId, epoch: 1 }])
    await a.resign(destinationId)
    assert.deepEqual(await b.tryLead([destinationId]), [{ destinationId, epoch: 2 }])
    await b.stop()
    assert.equal(await win(a, destinationId), 3)
  })

  it('moves with a higher epoch when the connection of the leader breaks', async (t) => {
    const outbox = await testOutbox(t)
    const { destinationId } = await addDestination(outbox, 'one')
    const [a, b] = [await startNode(t, outbox, 'a'), await startNode(t, outbox, 'b')]
    assert.equal(await win(a, destinationId), 1)
    const isLost = lost(a)
    await outbox.pool.query(
      `select pg_terminate_backend(pid) from pg_stat_activity where application_name = 'a' and datname = current_database()`,
    )
    await isLost
    assert.equal(await win(b, destinationId), 2)
    // The first has connected again by itself, and wins again once it can.
    await b.resign(destinationId)
    assert.equal(await win(a, destinationId), 3)
  })

  it('of a node that was silent for too long ends on the server, and its cursor is fenced', async (t) => {
    const outbox = await testOutbox(t)
    const { destinationId, topicId } = await addDestination(outbox, 'one')
    // Its heart beats too seldom: a process that hangs.
    const options = { sessionTimeoutMs: 300, heartbeatMs: 1_000_000 }
    const hung = await startNode(t, outbox, 'hung', options)
    const next = await startNode(t, outbox, 'next')
    assert.equal(await win(hung, destinationId), 1)
    await write(outbox, topicId, 'a')
    const cursor = await EventCursor.load(outbox.db, outbox.schema, destinationId, 1)
    const page = await cursor.nextPage(10, 1e9)
    assert.ok(page)
    const isLost = lost(hung)
    assert.equal(await win(next, destinationId), 2)
    await isLost
    await assert.rejects(cursor.acknowledge(page), { code: 'KTD_FENCED' })
    const successor = await EventCursor.load(outbox.db, outbox.schema, destinationId, 2)
    assert.deepEqual(await drain(successor), ['a'])
  })

  it('is known to be over by a node that slept, though nobody told it', async (t) => {
    const outbox = await testOutbox(t)
    const { db, schema } = outbox
    const one = (await addDestination(outbox, 'one')).destinationId
    const two = (await addDestination(outbox, 'two')).destinationId
    const options = { sessionTimeoutMs: 300, heartbeatMs: 1_000_000 }
    const hung = await startNode(t, outbox, 'hung', options)
    const next = await startNode(t, outbox, 'next')
    assert.equal(await win(hung, one), 1)
    assert.equal(await win(hung, two), 1)
    assert.equal(await isEpochCurrent(db, schema, one, 1), true)
    assert.equal(await win(next, one), 2)
    assert.equal(await isEpochCurrent(db, schema, one, 1), false)
    assert.equal(await isEpochCurrent(db, schema, one, 2), true)
    // A lock that went with the session is not a successor.
    assert.equal(await isEpochCurrent(db, schema, two, 1), true)
    await outbox.pool.query(`delete from ${schema.destination} where id = $1`, [one])
    assert.equal(await isEpochCurrent(db, schema, one, 2), false)
  })

  it('answers about its epoch while a transaction changes the destination', async (t) => {
    const outbox = await testOutbox(t)
    const { destinationId } = await addDestination(outbox, 'one')
    const host = await openTransaction(outbox.pool)
    await host.tx.query(`update ${outbox.schema.destination} set epoch = epoch + 1`)
    assert.equal(await isEpochCurrent(outbox.db, outbox.schema, destinationId, 0), true)
    await host.rollback()
  })

  it('is not lost by a node with nothing to do', async (t) => {
    const outbox = await testOutbox(t)
    const { destinationId } = await addDestination(outbox, 'one')
    const options = { sessionTimeoutMs: 2000, heartbeatMs: 50 }
    const a = await startNode(t, outbox, 'a', options)
    assert.equal(await win(a, destinationId), 1)
    let losses = 0
    a.onLost(() => losses++)
    const { rows } = await outbox.pool.query<{ pid: number; at: Date }>(
      `select pid, query_start as at from pg_stat_activity where application_name = 'a' and datname = current_database()`,
    )
    const [session] = rows
    assert.ok(session)
    await eventually(async () => {
      const beats = await outbox.pool.query(
        `select from pg_stat_activity where pid = $1 and query = 'select 1' and query_start > $2::timestamptz + interval '2.5 seconds'`,
        [session.pid, session.at],
      )
      return beats.rows.length === 1
    })
    assert.equal(losses, 0)
    assert.deepEqual(await a.tryLead([destinationId]), [])
  })

  it('does not wait for a transaction that is changing the destination, nor keep the lock', async (t) => {
    const outbox = await testOutbox(t)
    const { destinationId } = await addDestination(outbox, 'one')
    const [a, b] = [await startNode(t, outbox, 'a'), await startNode(t, outbox, 'b')]
    const host = await openTransaction(outbox.pool)
    await host.tx.query(`update ${outbox.schema.destination} set topic_id = topic_id`)
    assert.deepEqual(await a.tryLead([destinationId]), [])
    await host.rollback()
    assert.deepEqual(await b.tryLead([destinationId]), [{ destinationId, epoch: 1 }])
  })

  it('of a destination that is gone is nothing', async (t) => {
    const outbox = await testOutbox(t)
    const a = await startNode(t, outbox, 'a')
    assert.deepEqual(await a.tryLead([12345]), [])
    const { rows } = await outbox.pool.query(
      `select from pg_locks where locktype = 'advisory' and classid::bigint = $1::bigint & 4294967295`,
      [outbox.schema.lockKey],
    )
    assert.equal(rows.length, 0)
  })

  it('leaves no lock behind when the statement fails after taking it', async (t) => {
    const outbox = await testOutbox(t)
    const { destinationId } = await addDestination(outbox, 'one')
    const [a, b] = [await startNode(t, outbox, 'a'), await startNode(t, outbox, 'b')]
    await outbox.pool
      .query(`create function fail() returns trigger language plpgsql as 'begin raise ''no''; end';
      create trigger fail before update on ${outbox.schema.destination} execute function fail()`)
    const isLost = lost(a)
    await assert.rejects(a.tryLead([destinationId]), /no/)
    await isLost
    await outbox.pool.query(`drop trigger fail on ${outbox.schema.destination}`)
    assert.equal(await win(b, destinationId), 1)
  })

  it('is nobody’s while the database is away; stop ends the waiting', async (t) => {
    const outbox = await testOutbox(t)
    const unreachable = { ...outbox, connectionString: 'postgres://127.0.0.1:1/none' }
    const a = await startNode(t, unreachable, 'a')
    assert.deepEqual(await a.tryLead([1]), [])
    await a.resign(1)
    await a.stop()
  })
})
