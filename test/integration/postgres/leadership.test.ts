import assert from 'node:assert/strict'
import { describe, it, type TestContext } from 'node:test'
import { silentLogger } from '../../../src/observability/logger.ts'
import { fromPg } from '../../../src/host/sql-tx.ts'
import { EventCursor } from '../../../src/outbox/event-cursor.ts'
import {
  Leadership,
  type Election,
  type LedDestination,
  type Share,
} from '../../../src/outbox/leadership.ts'
import { NodeLease, type NodeLeaseOptions } from '../../../src/outbox/node-lease.ts'
import { forgetAbsentNodes, type NodePresence } from '../../../src/outbox/node-presence.ts'
import { NodeSession, type NodeSessionOptions } from '../../../src/outbox/node-session.ts'
import {
  addDestination,
  drain,
  eventually,
  openTransaction,
  testOutbox,
  write,
  type Outbox,
} from './outbox-fixture.ts'

class TestNode {
  readonly presence: NodePresence
  readonly leadership: Leadership

  constructor(presence: NodePresence, outbox: Outbox) {
    this.presence = presence
    this.leadership = new Leadership(presence, outbox.schema)
  }

  async tryLead(destinationIds: readonly number[]): Promise<readonly LedDestination[]> {
    return (await this.leadership.tryLead(destinationIds)).won
  }

  elect(destinationIds: readonly number[], share: Share): Promise<Election> {
    return this.leadership.tryLead(destinationIds, share)
  }

  resign(destinationId: number): Promise<void> {
    return this.leadership.resign(destinationId)
  }

  stop(): Promise<void> {
    return this.presence.stop()
  }
}

async function startNode(
  t: TestContext,
  outbox: Outbox,
  name: string,
  options: NodeSessionOptions = {},
): Promise<TestNode> {
  const { connectionString, schema } = outbox
  const config = { connectionString, application_name: name }
  return started(t, outbox, new NodeSession(config, schema, silentLogger, options))
}

async function startLeaseNode(
  t: TestContext,
  outbox: Outbox,
  options: NodeLeaseOptions = {},
): Promise<TestNode> {
  const { db, schema } = outbox
  return started(t, outbox, new NodeLease(db, schema, silentLogger, options))
}

async function started(t: TestContext, outbox: Outbox, presence: NodePresence): Promise<TestNode> {
  const node = new TestNode(presence, outbox)
  t.after(() => presence.stop())
  await presence.start()
  return node
}

function lost({ presence }: TestNode): Promise<void> {
  return new Promise((resolve) => {
    presence.onLost(resolve)
  })
}

/** The epoch under which the node wins the destination, when it can at last. */
async function win(node: TestNode, destinationId: number): Promise<number> {
  let epoch = 0
  await eventually(async () => {
    const [led] = await node.tryLead([destinationId])
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

  it('is not lost by a node with nothing to do', async (t) => {
    const outbox = await testOutbox(t)
    const { destinationId } = await addDestination(outbox, 'one')
    const options = { sessionTimeoutMs: 2000, heartbeatMs: 50 }
    const a = await startNode(t, outbox, 'a', options)
    assert.equal(await win(a, destinationId), 1)
    let losses = 0
    a.presence.onLost(() => losses++)
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
  })

  it('that was resigned in vain is won again', async (t) => {
    const outbox = await testOutbox(t)
    const { destinationId } = await addDestination(outbox, 'one')
    const a = await startLeaseNode(t, outbox)
    assert.equal(await win(a, destinationId), 1)
    await outbox.pool
      .query(`create function fail() returns trigger language plpgsql as 'begin raise ''no''; end';
      create trigger fail before update on ${outbox.schema.destination} execute function fail()`)
    await assert.rejects(a.resign(destinationId), /no/)
    await outbox.pool.query(`drop trigger fail on ${outbox.schema.destination}`)
    assert.equal(await win(a, destinationId), 2)
  })

  it('that was resigned while the presence was late with its sign of life is won again', async (t) => {
    const outbox = await testOutbox(t)
    const { destinationId } = await addDestination(outbox, 'one')
    const { presence } = await startLeaseNode(t, outbox)
    let isLate = false
    const late = new TestNode(
      {
        start: () => presence.start(),
        stop: () => presence.stop(),
        get nodeId() {
          return isLate ? undefined : presence.nodeId
        },
        db: presence.db,
        onLost: () => undefined,
        onNotice: () => undefined,
      },
      outbox,
    )
    assert.equal(await win(late, destinationId), 1)
    isLate = true
    await late.resign(destinationId)
    isLate = false
    assert.equal(await win(late, destinationId), 2)
  })

  it('is resigned without waiting for a transaction that is changing the destination', async (t) => {
    const outbox = await testOutbox(t)
    const { destinationId } = await addDestination(outbox, 'one')
    const a = await startNode(t, outbox, 'a')
    assert.equal(await win(a, destinationId), 1)
    const host = await openTransaction(outbox.pool)
    await host.tx.query(`update ${outbox.schema.destination} set topic_id = topic_id`)
    await a.resign(destinationId)
    await host.rollback()
    assert.equal(await win(a, destinationId), 2)
  })

  it('is void when its statement fails', async (t) => {
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

describe('leadership shared by nodes', () => {
  it('is taken up to the equal part, rounded up; the others see what is left', async (t) => {
    const outbox = await testOutbox(t)
    const ids: number[] = []
    for (const id of ['a', 'b', 'c', 'd', 'e']) {
      ids.push((await addDestination(outbox, id)).destinationId)
    }
    const [a, b] = [await startNode(t, outbox, 'a'), await startLeaseNode(t, outbox)]
    const first = await a.elect(ids, { total: 5, led: 0 })
    assert.deepEqual([first.won.length, first.left.length, first.nodes], [3, 2, 2])
    const again = await a.elect(first.left, { total: 5, led: 3 })
    assert.deepEqual([again.won, again.left], [[], first.left])
    const second = await b.elect(ids, { total: 5, led: 0 })
    assert.deepEqual(
      new Set(second.won.map(({ destinationId }) => destinationId)),
      new Set(first.left),
    )
    assert.deepEqual(second.left, [])
  })

  it('is no more shared with a node that leaves', async (t) => {
    const outbox = await testOutbox(t)
    const one = (await addDestination(outbox, 'one')).destinationId
    const two = (await addDestination(outbox, 'two')).destinationId
    const [a, b] = [await startNode(t, outbox, 'a'), await startNode(t, outbox, 'b')]
    assert.equal((await b.elect([one, two], { total: 2, led: 0 })).won.length, 1)
    await b.leadership.leave()
    const election = await a.elect([one, two], { total: 2, led: 0 })
    assert.deepEqual([election.won.length, election.nodes], [1, 1])
  })

  it('forgets nodes that are gone, and no other', async (t) => {
    const outbox = await testOutbox(t)
    const { pool, db, schema } = outbox
    const [a, b, gone] = [
      await startNode(t, outbox, 'a'),
      await startLeaseNode(t, outbox),
      await startNode(t, outbox, 'gone'),
    ]
    const fresh = gone.presence.nodeId
    await gone.stop()
    await forgetAbsentNodes(db, schema)
    const nodes = async () =>
      (await pool.query<{ id: number }>(`select id from ${schema.node} order by id`)).rows.map(
        ({ id }) => id,
      )
    const present = [a.presence.nodeId, b.presence.nodeId]
    assert.deepEqual(await nodes(), [...present, fresh])
    await pool.query(`update ${schema.node} set started_at = started_at - interval '2 minutes'`)
    await forgetAbsentNodes(db, schema)
    assert.deepEqual(await nodes(), present)
  })
})

describe('leadership by lease', () => {
  it('survives the end of every session, and holds none', async (t) => {
    const outbox = await testOutbox(t)
    const { destinationId } = await addDestination(outbox, 'one')
    const [a, b] = [await startLeaseNode(t, outbox), await startLeaseNode(t, outbox)]
    assert.equal(await win(a, destinationId), 1)
    outbox.pool.on('error', () => undefined)
    await outbox.pool.query(
      `select pg_terminate_backend(pid) from pg_stat_activity where datname = current_database() and pid <> pg_backend_pid()`,
    )
    assert.deepEqual(await b.tryLead([destinationId]), [])
    const { rows } = await outbox.pool.query(
      `select from pg_locks
        where locktype = 'advisory' and database = (select oid from pg_database where datname = current_database())`,
    )
    assert.equal(rows.length, 0)
  })

  it('moves when the lease has ended, and the one who had it knows before', async (t) => {
    const outbox = await testOutbox(t)
    const { destinationId } = await addDestination(outbox, 'one')
    const hung = await startLeaseNode(t, outbox, { leaseMs: 300, heartbeatMs: 1_000_000 })
    const next = await startNode(t, outbox, 'next')
    assert.equal(await win(hung, destinationId), 1)
    assert.equal(await win(next, destinationId), 2)
    assert.equal(hung.presence.nodeId, undefined)
    assert.deepEqual(await hung.leadership.tryLead([destinationId]), {
      won: [],
      left: [],
      nodes: 0,
    })
  })

  it('is renewed; a lease that ended unseen is another node', async (t) => {
    const outbox = await testOutbox(t)
    const { destinationId } = await addDestination(outbox, 'one')
    const a = await startLeaseNode(t, outbox, { leaseMs: 60_000, heartbeatMs: 20 })
    assert.equal(await win(a, destinationId), 1)
    const before = a.presence.nodeId
    const until = async () => {
      const { rows } = await outbox.pool.query<{ at: Date }>(
        `select lease_until as at from ${outbox.schema.node} where id = $1`,
        [before],
      )
      return rows[0]?.at.getTime() ?? 0
    }
    const began = await until()
    await eventually(async () => (await until()) > began)
    let losses = 0
    a.presence.onLost(() => losses++)
    await outbox.pool.query(`update ${outbox.schema.node} set lease_until = now()`)
    await eventually(() => Promise.resolve(losses > 0 && a.presence.nodeId !== undefined))
    assert.notEqual(a.presence.nodeId, before)
    assert.equal(await win(a, destinationId), 2)
  })

  it('is given up by stop at once', async (t) => {
    const outbox = await testOutbox(t)
    const { destinationId } = await addDestination(outbox, 'one')
    const [a, b] = [await startLeaseNode(t, outbox), await startLeaseNode(t, outbox)]
    assert.equal(await win(a, destinationId), 1)
    await a.stop()
    assert.deepEqual(await b.tryLead([destinationId]), [{ destinationId, epoch: 2 }])
  })

  it('begins by itself when the database comes', async (t) => {
    const outbox = await testOutbox(t)
    const { destinationId } = await addDestination(outbox, 'one')
    let isAway = true
    const db: Outbox['db'] = {
      query: (text, values) => {
        if (isAway) throw new Error('connect ECONNREFUSED')
        return fromPg(outbox.pool).query(text, values)
      },
    }
    const a = await startLeaseNode(t, { ...outbox, db }, { heartbeatMs: 20 })
    assert.deepEqual(await a.tryLead([destinationId]), [])
    isAway = false
    assert.equal(await win(a, destinationId), 1)
  })
})
