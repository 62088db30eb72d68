import assert from 'node:assert/strict'
import { describe, it, type TestContext } from 'node:test'
import { fromPg } from '../../../src/host/sql-tx.ts'
import { recordingLogger, type LogLine } from '../../helpers/recording-logger.ts'
import { UndecidedParking } from '../../../src/delivery/undecided-parking.ts'
import { readDeliveryStatus } from '../../../src/outbox/counters.ts'
import { putDestination } from '../../../src/outbox/destinations.ts'
import { parkUndecidedEvents } from '../../../src/outbox/enqueue.ts'
import { closeMoves, dropDrainedSources } from '../../../src/outbox/sources.ts'
import { addUpNotKept, countNotKept } from '../../../src/outbox/undecided-counts.ts'
import {
  findDueQueues,
  keepUndecided,
  listUndecided,
  lookForUndecided,
  moveUndecidedToLog,
  readDueIds,
  readUndecided,
  removeUndecided,
  tryLockUndecided,
} from '../../../src/outbox/undecided-events.ts'
import {
  addDestination,
  drain,
  newEvent,
  openTransaction,
  takeOver,
  testOutbox,
  type Outbox,
} from './outbox-fixture.ts'

const topicUrl = 'http://example.org/topic'

async function idsOf({ db, schema }: Outbox): Promise<string[]> {
  const events = await listUndecided(db, schema, 'all', '0', 10_000)
  return events.map(({ id }) => id)
}

/** An outbox with a destination and undecided events of these resources. */
async function withUndecided(
  t: TestContext,
  ...resourceIds: readonly string[]
): Promise<Outbox & { destinationId: number; topicId: number; ids: string[] }> {
  const outbox = await testOutbox(t)
  const { destinationId, topicId } = await addDestination(outbox, 'a')
  await parkUndecidedEvents(
    outbox.db,
    outbox.schema,
    resourceIds.map((id) => ({ ...newEvent(topicId, id), error: 'why', criteria: 'old' })),
  )
  return { ...outbox, destinationId, topicId, ids: await idsOf(outbox) }
}

describe('moveUndecidedToLog', () => {
  it('keeps everything that a notification tells, in the order of the events, under new ids', async (t) => {
    const outbox = await testOutbox(t)
    const { db, schema, pool } = outbox
    const { topicId, destinationId } = await addDestination(outbox, 'a')
    const at = new Date('2026-01-02T03:04:05.678Z')
    const told = { correlationId: 'order-4711', traceparent: '00-a-b-01', at }
    await parkUndecidedEvents(db, schema, [
      {
        ...newEvent(topicId, 'p', 7, '{"a":1}'),
        ...told,
        error: 'x',
        previous: { resourceType: 'Patient' },
      },
      { ...newEvent(topicId, 'q'), interaction: 'delete', body: null, error: 'x' },
    ])
    const moved = await moveUndecidedToLog(db, schema, await idsOf(outbox))
    assert.deepEqual([...moved.topicIds], [topicId])
    const { rows } = await pool.query(
      `select topic_id, interaction, resource_type, resource_id, version_id, correlation_id, traceparent, at, body
         from ${schema.event} order by id limit 1`,
    )
    assert.deepEqual(rows, [
      {
        topic_id: topicId,
        interaction: 'u',
        resource_type: 'Patient',
        resource_id: 'p',
        version_id: '7',
        correlation_id: 'order-4711',
        traceparent: '00-a-b-01',
        at,
        body: '{"a":1}',
      },
    ])
    assert.deepEqual(await idsOf(outbox), [])
    assert.deepEqual(await drain(await takeOver(outbox, destinationId)), ['p', 'q'])
  })

  it('leaves alone what nobody would read: whoever reads the queue is leaving it in an open transaction', async (t) => {
    const { ids, pool, ...outbox } = await withUndecided(t, 'p')
    const { db, schema, destinationId } = outbox
    const leaving = await openTransaction(pool)
    const reference = 'AidboxTopicDestination/a'
    const kind = 'kafka-at-least-once'
    const other = 'http://example.org/other'
    const move = await putDestination(leaving.tx, schema, { reference, kind, topicUrl: other })
    assert.ok(move)
    const refused = await moveUndecidedToLog(db, schema, ids)
    assert.equal(refused.ids.size, 0)
    await leaving.commit()
    assert.equal((await moveUndecidedToLog(db, schema, ids)).ids.size, 0)
    await closeMoves(db, schema, [move])
    assert.equal((await moveUndecidedToLog(db, schema, ids)).ids.size, 0)
    // And back again.
    const back = await putDestination(db, schema, { reference, kind, topicUrl })
    assert.equal((await moveUndecidedToLog(db, schema, ids)).ids.size, 0, 'it has not arrived')
    await closeMoves(db, schema, [back ?? 0])
    assert.equal((await moveUndecidedToLog(db, schema, ids)).ids.size, 1)
    assert.deepEqual(await drain(await takeOver({ ...outbox, pool }, destinationId)), ['p'])
  })

  it('makes whoever wants to leave the queue wait, so that what it has moved is still read', async (t) => {
    const { ids, pool, ...outbox } = await withUndecided(t, 'p')
    const { db, schema, destinationId } = outbox
    const moving = await openTransaction(pool)
    assert.equal((await moveUndecidedToLog(moving.tx, schema, ids)).ids.size, 1)
    const left = putDestination(db, schema, {
      reference: 'AidboxTopicDestination/a',
      kind: 'kafka-at-least-once',
      topicUrl: 'http://example.org/other',
    })
    for (;;) {
      const { rows } = await pool.query('select from pg_locks where not granted')
      if (rows.length > 0) break
    }
    await moving.commit()
    const move = await left
    await closeMoves(db, schema, [move ?? 0])
    assert.deepEqual(await drain(await takeOver({ ...outbox, pool }, destinationId)), ['p'])
  })
})

describe('events that are to be decided again', () => {
  it('are those of other criteria, and those whose time has come', async (t) => {
    const { db, schema, topicId, ids } = await withUndecided(t, 'a', 'b', 'c')
    const [a, b, c] = ids as [string, string, string]
    const due = (criteria: string): Promise<readonly string[]> =>
      readDueIds(db, schema, { topicId, criteria }, '0')
    assert.deepEqual(await due('new'), ids)
    assert.deepEqual(await due('old'), [])
    assert.deepEqual(await readDueIds(db, schema, { topicId: 4711, criteria: 'new' }, '0'), [])
    assert.deepEqual(await readDueIds(db, schema, { topicId, criteria: 'new' }, a), [b, c])
    await keepUndecided(db, schema, [
      { id: a, error: 'again', criteria: 'new', retryInMs: 0 },
      { id: b, error: 'again', criteria: 'new', retryInMs: null },
      { id: c, error: 'again', criteria: 'new', retryInMs: 3_600_000 },
    ])
    assert.deepEqual(await due('new'), [a])
    const read = await readUndecided(db, schema, ids, { topicId, criteria: 'new' })
    assert.deepEqual(
      read.map(({ id, attempts }) => [id, attempts]),
      [[a, 2]],
    )
    assert.equal((await readUndecided(db, schema, ids)).length, 3)
  })

  it('are looked for in each queue', async (t) => {
    const outbox = await withUndecided(t, 'a')
    const { db, schema, topicId, ids } = outbox
    const other = await addDestination(outbox, 'other', 'http://example.org/other')
    const found = (criteria: string): Promise<readonly object[]> =>
      findDueQueues(db, schema, [
        { topicId, criteria },
        { topicId: other.topicId, criteria: 'new' },
      ])
    for (const criteria of ['new', 'older']) {
      assert.deepEqual(await found(criteria), [{ topicId, criteria }])
    }
    assert.deepEqual(await found('old'), [])
    const again = { id: ids[0] ?? '', error: 'x', criteria: 'old' }
    await keepUndecided(db, schema, [{ ...again, retryInMs: 3_600_000 }])
    assert.deepEqual(await found('old'), [])
    await keepUndecided(db, schema, [{ ...again, retryInMs: -1 }])
    assert.deepEqual(await found('old'), [{ topicId, criteria: 'old' }])
  })

  it('are read up to 8 MB at once, a larger one alone', async (t) => {
    const outbox = await testOutbox(t)
    const { db, schema } = outbox
    const { topicId } = await addDestination(outbox, 'a')
    const big = { resourceType: 'Binary', data: 'x'.repeat(9_000_000) }
    const events = [
      { ...newEvent(topicId, 'big'), previous: big },
      newEvent(topicId, 'a'),
      newEvent(topicId, 'b', 1, 'y'.repeat(7_000_000)),
      newEvent(topicId, 'c', 1, 'y'.repeat(7_000_000)),
    ]
    await parkUndecidedEvents(
      db,
      schema,
      events.map((event) => ({ ...event, error: 'x' })),
    )
    let rest = await idsOf(outbox)
    const batches: string[][] = []
    while (rest.length > 0) {
      const batch = await readUndecided(db, schema, rest)
      batches.push(batch.map(({ resourceId }) => resourceId))
      rest = rest.slice(batch.length)
    }
    assert.deepEqual(batches, [['big'], ['a', 'b'], ['c']])
  })

  it('are locked for one transaction at a time, queue by queue, which gets no number by that', async (t) => {
    const { schema, pool, topicId } = await withUndecided(t, 'a')
    const [one, two] = [await openTransaction(pool), await openTransaction(pool)]
    assert.equal(await tryLockUndecided(one.tx, schema, topicId), true)
    assert.equal(await tryLockUndecided(two.tx, schema, topicId), false)
    assert.equal(await tryLockUndecided(two.tx, schema, topicId + 1), true)
    assert.equal(await tryLockUndecided(two.tx, schema, 'not-kept'), true)
    const { rows } = await one.tx.query('select pg_current_xact_id_if_assigned() as xid')
    assert.deepEqual(rows, [{ xid: null }])
    await one.rollback()
    assert.equal(await tryLockUndecided(two.tx, schema, topicId), true)
    await two.commit()
  })
})

describe('counts of undecided events', () => {
  it('hold for whoever would get the events now, and of what was not kept for whoever was there then', async (t) => {
    const outbox = await testOutbox(t)
    const { db, schema } = outbox
    const { topicId } = await addDestination(outbox, 'a')
    await addDestination(outbox, 'elsewhere', 'http://example.org/other')
    await addDestination(outbox, 'best', topicUrl, 'kafka-best-effort')
    const park = (id: string): Promise<void> =>
      parkUndecidedEvents(db, schema, [{ ...newEvent(topicId, id), error: 'x' }])
    await park('p')
    await countNotKept(db, schema, new Map([[topicId, 3]]))
    await addDestination(outbox, 'late')
    await park('q')
    await countNotKept(db, schema, new Map([[topicId, 5]]))
    const counts = async (id: string): Promise<number[]> => {
      const status = await readDeliveryStatus(db, schema, `AidboxTopicDestination/${id}`)
      assert.ok(status)
      return [status.notKept, status.notFired, status.discarded, status.undecided]
    }
    const [p, q] = (await idsOf(outbox)) as [string, string]
    for (const addUp of [false, true]) {
      if (addUp) await addUpNotKept(db, schema)
      assert.deepEqual(await counts('a'), [8, 0, 0, 2])
      assert.deepEqual(await counts('late'), [5, 0, 0, 2])
      assert.deepEqual(await counts('elsewhere'), [0, 0, 0, 0])
      assert.deepEqual(await counts('best'), [0, 0, 0, 0])
    }
    assert.deepEqual(await lookForUndecided(db, schema), { areParked: true, areCounted: false })
    assert.equal(await removeUndecided(db, schema, [p], 'not_fired'), 1)
    assert.equal(await removeUndecided(db, schema, [p, q], 'discarded'), 1)
    assert.deepEqual(await counts('a'), [8, 1, 1, 0])
    assert.deepEqual(await counts('late'), [5, 1, 1, 0])
    await countNotKept(db, schema, new Map([[topicId, 1]]))
    await addUpNotKept(db, schema)
    assert.deepEqual(await counts('a'), [9, 1, 1, 0])
    assert.deepEqual(await lookForUndecided(db, schema), { areParked: false, areCounted: false })
  })
})

describe('the count of undecided events of a destination', () => {
  it('is what is delivered to it when all of them are released: whatever their time, wherever it came from', async (t) => {
    const outbox = await testOutbox(t)
    const { db, schema } = outbox
    const other = 'http://example.org/other'
    const kind = 'kafka-at-least-once'
    const reference = (id: string): string => `AidboxTopicDestination/${id}`
    const { topicId } = await addDestination(outbox, 'a')
    const moved = await addDestination(outbox, 'moved', other)
    const park = (to: number, id: string, at?: Date): Promise<void> =>
      parkUndecidedEvents(db, schema, [
        { ...newEvent(to, id), error: 'x', ...(at === undefined ? {} : { at }) },
      ])
    await park(topicId, 'before', new Date('2020-01-01'))
    await park(topicId, 'now')
    await park(topicId, 'later', new Date('2100-01-01'))
    await park(moved.topicId, 'left', new Date('2100-01-01'))
    const undecided = async (id: string): Promise<number | undefined> =>
      (await readDeliveryStatus(db, schema, reference(id)))?.undecided
    assert.deepEqual([await undecided('a'), await undecided('moved')], [3, 1])
    const move = await putDestination(db, schema, {
      reference: reference('moved'),
      kind,
      topicUrl,
    })
    await closeMoves(db, schema, [move ?? 0])
    await dropDrainedSources(db, schema)
    // Nobody else would tell of the one in the queue that it has left.
    assert.equal(await undecided('moved'), 4)
    const latecomer = await addDestination(outbox, 'latecomer', other)
    await dropDrainedSources(db, schema)
    assert.deepEqual([await undecided('moved'), await undecided('latecomer')], [3, 1])
    await addDestination(outbox, 'late')
    assert.equal(await undecided('late'), 3)

    await moveUndecidedToLog(db, schema, await idsOf(outbox))
    const delivered = async (destinationId: number): Promise<string[]> =>
      drain(await takeOver(outbox, destinationId))
    assert.deepEqual(await delivered(moved.destinationId), ['before', 'now', 'later'])
    assert.deepEqual(await delivered(latecomer.destinationId), ['left'])
  })
})

describe('UndecidedParking', () => {
  interface Parking extends Outbox {
    readonly parking: UndecidedParking
    readonly lines: LogLine[]
    readonly clock: { nowMs: number }
    /** Kept and counted. */
    readonly counts: () => Promise<[kept: number, notKept: number]>
    readonly park: (count: number) => Promise<void>
  }

  async function parkingOf(t: TestContext, maxUndecidedPerTopic: number): Promise<Parking> {
    const outbox = await testOutbox(t)
    const { db, schema } = outbox
    const { topicId } = await addDestination(outbox, 'a')
    const lines: LogLine[] = []
    const clock = { nowMs: 0 }
    const logger = recordingLogger(lines)
    const now = (): number => clock.nowMs
    const parking = new UndecidedParking({ db, schema, maxUndecidedPerTopic, logger, now })
    const event = { ...newEvent(topicId, 'p'), error: 'why', topicUrl }
    return {
      ...outbox,
      parking,
      lines,
      clock,
      park: (count) =>
        parking.park(
          db,
          Array.from({ length: count }, () => event),
        ),
      counts: async () => {
        const status = await readDeliveryStatus(db, schema, 'AidboxTopicDestination/a')
        return [status?.undecided ?? 0, status?.notKept ?? 0]
      },
    }
  }

  it('counts the rows when its room is used up or its count is a second old, and turns nothing away by an old count', async (t) => {
    const { park, counts, clock, pool, schema } = await parkingOf(t, 10)
    await park(4)
    await park(6)
    assert.deepEqual(await counts(), [10, 0])
    await park(1)
    assert.deepEqual(await counts(), [10, 1])
    await pool.query(`delete from ${schema.undecidedEvent} where id % 2 = 0`)
    await park(1)
    assert.deepEqual(await counts(), [5, 2], 'within a second the queue counts as full')
    clock.nowMs += 1001
    await park(7)
    assert.deepEqual(await counts(), [10, 4])
  })

  it('gives back room of transactions that were rolled back', async (t) => {
    const { parking, park, counts, pool, schema } = await parkingOf(t, 10)
    const { rows } = await pool.query<{ id: number }>(`select id from ${schema.topic}`)
    const topicId = rows[0]?.id ?? 0
    const open = await openTransaction(pool)
    const event = { ...newEvent(topicId, 'p'), error: 'why', topicUrl }
    await parking.park(
      open.tx,
      Array.from({ length: 10 }, () => event),
    )
    await open.rollback()
    await park(10)
    assert.deepEqual(await counts(), [10, 0])
  })

  it('makes no serializable writes lose races to each other', async (t) => {
    const { parking, counts, pool, schema } = await parkingOf(t, 10)
    const { rows } = await pool.query<{ id: number }>(`select id from ${schema.topic}`)
    const open = [await openTransaction(pool), await openTransaction(pool)]
    for (const { tx } of open) {
      await tx.query('set transaction isolation level serializable')
      await tx.query('select')
    }
    // Each finds the room used up.
    for (const { tx } of open) {
      const event = { ...newEvent(rows[0]?.id ?? 0, 'p'), error: 'why', topicUrl }
      await parking.park(
        tx,
        Array.from({ length: 10 }, () => event),
      )
    }
    for (const each of open) await each.commit()
    assert.deepEqual(await counts(), [20, 0])
  })

  it('keeps what it cannot count', async (t) => {
    const { db, schema, counts } = await parkingOf(t, 0)
    const { rows } = await db.query<{ id: number }>(`select id from ${schema.topic}`)
    const lines: LogLine[] = []
    const parking = new UndecidedParking({
      db: { query: () => Promise.reject(new Error('no connection')) },
      schema,
      maxUndecidedPerTopic: 0,
      logger: recordingLogger(lines),
    })
    const event = { ...newEvent(rows[0]?.id ?? 0, 'p'), error: 'why', topicUrl }
    await parking.park(db, [event, event])
    assert.deepEqual(await counts(), [2, 0])
    assert.ok(lines.some(({ message }) => message.startsWith('cannot count undecided events')))
  })

  it('keeps nothing at 0, and tells each topic once a minute', async (t) => {
    const { park, counts, clock, lines } = await parkingOf(t, 0)
    for (let n = 0; n < 3; n++) await park(2)
    assert.deepEqual(await counts(), [0, 6])
    const told = (): (string | number | undefined)[] =>
      lines
        .filter(({ message }) => message.includes('are not kept'))
        .map(({ fields }) => fields['count'] as number)
    assert.deepEqual(told(), [2])
    clock.nowMs += 60_000
    await park(2)
    assert.deepEqual(told(), [2, 6])
    assert.equal(lines.filter(({ level }) => level === 'error').length, 1)
  })

  it('turns away no more than the limit allows when many transactions keep events at the same time', async (t) => {
    const { pool, parking, counts, schema } = await parkingOf(t, 100)
    const { rows } = await pool.query<{ id: number }>(`select id from ${schema.topic}`)
    const event = { ...newEvent(rows[0]?.id ?? 0, 'p'), error: 'why', topicUrl }
    const clientCount = 8
    await Promise.all(
      Array.from({ length: clientCount }, async () => {
        const client = await pool.connect()
        for (let n = 0; n < 50; n++) {
          await client.query('begin')
          await parking.park(fromPg(client), [event])
          await client.query('commit')
        }
        client.release()
      }),
    )
    const [kept, notKept] = await counts()
    assert.equal(kept + notKept, clientCount * 50)
    assert.ok(kept >= 100 && kept < 100 + clientCount, String(kept))
  })
})
