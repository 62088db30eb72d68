import assert from 'node:assert/strict'
import { describe, it, type TestContext } from 'node:test'
import { cleanOutbox, deleteSettledEvents } from '../../../src/outbox/cleanup.ts'
import { countBacklogs } from '../../../src/outbox/backlog-count.ts'
import { readDeliveryStatus } from '../../../src/outbox/counters.ts'
import { enqueueEvents, parkUndecidedEvents } from '../../../src/outbox/enqueue.ts'
import { SourcesChanged, type EventCursor } from '../../../src/outbox/event-cursor.ts'
import { migrateOutbox } from '../../../src/outbox/migrations.ts'
import { outboxSchema, type OutboxSchema } from '../../../src/outbox/schema.ts'
import {
  closeAbandonedMoves,
  closeMoves,
  dropDrainedSources,
  forgetMoves,
} from '../../../src/outbox/sources.ts'
import { putDestination, removeDestination } from '../../../src/outbox/destinations.ts'
import { topicsWithEvents } from '../../../src/outbox/topics-with-events.ts'
import {
  addDestination,
  drain,
  eventually,
  idsOf,
  newEvent,
  newEvents,
  openTransaction,
  settleAll,
  takeOver,
  testOutbox,
  write,
  type Outbox,
} from './outbox-fixture.ts'

const topicA = 'http://example.org/a'
const topicB = 'http://example.org/b'

interface Queues extends Outbox {
  readonly destinationId: number
  readonly a: number
  readonly b: number
  /** Makes the destination read the topic from now on. */
  readonly move: (topicUrl: string) => Promise<void>
  /** Events of a node that knows of every move so far; `write` is a node that knows of none. */
  readonly writeKnowing: (topicId: number, ...resourceIds: readonly string[]) => Promise<void>
  /** Every node knows. */
  readonly close: () => Promise<void>
  /** And every transaction that did not has ended. */
  readonly forget: () => Promise<void>
  readonly sourceCount: () => Promise<number>
}

/** A destination on topic A. Others read A and B all the time. */
async function testQueues(t: TestContext, schema?: OutboxSchema): Promise<Queues> {
  const outbox = await testOutbox(t, schema)
  const { destinationId, topicId: a } = await addDestination(outbox, 'mover', topicA)
  await addDestination(outbox, 'on-a', topicA)
  const { topicId: b } = await addDestination(outbox, 'on-b', topicB)
  const moves = async (): Promise<number[]> => {
    const { rows } = await outbox.pool.query<{ id: number }>(
      `select id from ${outbox.schema.move} order by id`,
    )
    return rows.map(({ id }) => id)
  }
  return {
    ...outbox,
    destinationId,
    a,
    b,
    move: async (topicUrl) => {
      await addDestination(outbox, 'mover', topicUrl)
    },
    writeKnowing: async (topicId, ...resourceIds) => {
      const knownMoves = await moves()
      const events = resourceIds.map((id) => ({ ...newEvent(topicId, id), knownMoves }))
      await enqueueEvents(outbox.db, outbox.schema, events)
    },
    close: async () => {
      await closeMoves(outbox.db, outbox.schema, await moves())
    },
    forget: () => forgetMoves(outbox.db, outbox.schema),
    sourceCount: async () => {
      const { rows } = await outbox.pool.query(
        `select from ${outbox.schema.source} where destination_id = ${destinationId}`,
      )
      return rows.length
    },
  }
}

/** What comes of it when the cursor is loaded anew each time it has to be. */
async function read(queues: Queues, maxEvents = 100): Promise<string[]> {
  return drain(await takeOver(queues, queues.destinationId), maxEvents)
}

/** Other tests' transactions on the server may hold it up. */
async function eventuallyForgotten(queues: Queues): Promise<void> {
  await eventually(async () => {
    await queues.forget()
    const { rows } = await queues.pool.query(`select from ${queues.schema.move}`)
    return rows.length === 0
  })
}

async function queued(queues: Queues): Promise<number | undefined> {
  const reference = 'AidboxTopicDestination/mover'
  return (await readDeliveryStatus(queues.db, queues.schema, reference))?.queued
}

describe('a destination that goes to another topic', () => {
  it('gets each change once: by the old topic from who does not know yet, by the new one from who does', async (t) => {
    const queues = await testQueues(t)
    await write(queues, queues.a, 'a1')
    await write(queues, queues.b, 'not-yet')
    await queues.move(topicB)
    for (const id of ['w1', 'w2']) {
      // Of one write: both topics have other readers.
      await write(queues, queues.a, `a-${id}`)
      await write(queues, queues.b, `unknowing-${id}`)
      await queues.writeKnowing(queues.a, `knowing-${id}`)
      await queues.writeKnowing(queues.b, `b-${id}`)
    }
    const expected = ['a1', 'a-w1', 'b-w1', 'a-w2', 'b-w2']
    assert.equal(await queued(queues), expected.length)
    await queues.close()
    await queues.writeKnowing(queues.a, 'knowing')
    await queues.writeKnowing(queues.b, 'b3')
    await eventuallyForgotten(queues)
    await write(queues, queues.a, 'not-any-more')
    await write(queues, queues.b, 'b4')
    assert.equal(await queued(queues), expected.length + 2)
    assert.deepEqual(await read(queues), [...expected, 'b3', 'b4'])
    assert.equal(await queued(queues), 0)
  })

  it('says of each event which topic selected it', async (t) => {
    const queues = await testQueues(t)
    await write(queues, queues.a, 'a1')
    await queues.move(topicB)
    await queues.writeKnowing(queues.b, 'b1')
    const page = await (await takeOver(queues, queues.destinationId)).nextPage(10, 1e9)
    assert.deepEqual(
      page?.events.map(({ topicUrl }) => topicUrl),
      [topicA, topicB],
    )
  })

  it('gets what a node wrote that did not know of it, also when that commits much later', async (t) => {
    const queues = await testQueues(t)
    const late = await openTransaction(queues.pool)
    await enqueueEvents(late.tx, queues.schema, [newEvent(queues.a, 'late')])
    await queues.move(topicB)
    await queues.close()
    await queues.forget()
    await queues.writeKnowing(queues.b, 'b1')
    assert.deepEqual(await read(queues), ['b1'])
    await late.commit()
    await eventuallyForgotten(queues)
    await write(queues, queues.b, 'b2')
    assert.deepEqual(await read(queues), ['late', 'b2'])
    assert.equal(await queued(queues), 0)
  })

  it('is told of nothing twice by a transaction that was open at the change and matched after it', async (t) => {
    const queues = await testQueues(t)
    const open = await openTransaction(queues.pool)
    await open.tx.query('select pg_current_xact_id()')
    await queues.move(topicB)
    await queues.close()
    // Its number is smaller than the one that closed the move: who did not know of it has ended only when this one has.
    await queues.forget()
    const knownMoves = [1]
    await enqueueEvents(open.tx, queues.schema, [
      { ...newEvent(queues.a, 'not its own'), knownMoves },
      { ...newEvent(queues.b, 'open'), knownMoves },
    ])
    await open.commit()
    assert.deepEqual(await read(queues), ['open'])
  })

  it('comes back: what the first topic selected meanwhile is not its own', async (t) => {
    const queues = await testQueues(t)
    await write(queues, queues.a, 'a1')
    const late = await openTransaction(queues.pool)
    await enqueueEvents(late.tx, queues.schema, [newEvent(queues.a, 'late')])
    await queues.move(topicB)
    await queues.close()
    await queues.writeKnowing(queues.a, 'meanwhile')
    await queues.writeKnowing(queues.b, 'b1')
    await queues.move(topicA)
    await queues.writeKnowing(queues.b, 'not any more')
    await queues.writeKnowing(queues.a, 'a2')
    await late.commit()
    await queues.close()
    await eventuallyForgotten(queues)
    await write(queues, queues.a, 'a3')
    await write(queues, queues.b, 'nor this')
    assert.equal(await queued(queues), 5)
    assert.deepEqual((await read(queues)).toSorted(), ['a1', 'a2', 'a3', 'b1', 'late'])
  })

  it('is not closed by a move of another one, nor before it is committed', async (t) => {
    const queues = await testQueues(t)
    const open = await openTransaction(queues.pool)
    await putDestination(open.tx, queues.schema, {
      reference: 'AidboxTopicDestination/mover',
      kind: 'kafka-at-least-once',
      topicUrl: topicB,
    })
    await closeAbandonedMoves(queues.db, queues.schema, 0)
    await addDestination(queues, 'on-a', topicB)
    await queues.close()
    await open.commit()
    await write(queues, queues.a, 'a1')
    assert.deepEqual(await read(queues), ['a1'])
    await closeAbandonedMoves(queues.db, queues.schema, 0)
    const { rows } = await queues.pool.query<{ closed: boolean }>(
      `select closed_xid is not null as closed from ${queues.schema.move} where destination_id = ${queues.destinationId}`,
    )
    assert.deepEqual(rows, [{ closed: false }], 'seen now, closed only when it was seen long ago')
    await closeAbandonedMoves(queues.db, queues.schema, 0)
    assert.equal((await read(queues)).length, 0)
  })
})

describe('the leader of a destination that goes to another topic', () => {
  async function readOn(queues: Queues, cursor: EventCursor): Promise<string[]> {
    await assert.rejects(cursor.nextPage(10, 1e9), SourcesChanged)
    return read(queues)
  }

  it('acknowledges the page under way: nothing of it comes again', async (t) => {
    const queues = await testQueues(t)
    await write(queues, queues.a, 'a1', 'a2')
    const cursor = await takeOver(queues, queues.destinationId)
    const page = await cursor.nextPage(10, 1e9)
    assert.ok(page)
    await queues.move(topicB)
    await queues.writeKnowing(queues.b, 'b1')
    await cursor.acknowledge(page)
    assert.deepEqual(await readOn(queues, cursor), ['b1'])
  })

  it('opens no round that would claim the events of the new topic', async (t) => {
    const queues = await testQueues(t)
    const cursor = await takeOver(queues, queues.destinationId)
    assert.equal(await cursor.nextPage(10, 1e9), undefined)
    await queues.move(topicB)
    await queues.writeKnowing(queues.b, 'b1')
    await write(queues, queues.a, 'a1')
    assert.deepEqual(await readOn(queues, cursor), ['b1', 'a1'])
  })

  it('writes no position at rest that would claim them', async (t) => {
    const queues = await testQueues(t)
    await write(queues, queues.a, 'a1')
    const cursor = await settleAll(queues, queues.destinationId)
    await queues.move(topicB)
    await queues.writeKnowing(queues.b, 'b1')
    // Reads a snapshot that contains b1, and nothing of its own sources.
    assert.equal(await cursor.nextPage(10, 1e9), undefined)
    await write(queues, queues.a, 'a2')
    assert.deepEqual(await readOn(queues, cursor), ['b1', 'a2'])
  })

  it('gives the events of an open round the same numbers, whatever the new topic has meanwhile', async (t) => {
    const queues = await testQueues(t)
    await write(queues, queues.a, 'a1', 'a2', 'a3')
    const first = await takeOver(queues, queues.destinationId)
    assert.deepEqual(idsOf(await first.nextPage(2, 1e9)), ['a1', 'a2'])
    await write(queues, queues.b, 'before')
    await queues.move(topicB)
    await queues.writeKnowing(queues.b, 'b1')
    const second = await takeOver(queues, queues.destinationId)
    const page = await second.nextPage(10, 1e9)
    assert.deepEqual([idsOf(page), page?.firstEventNumber], [['a1', 'a2', 'a3'], 1])
  })
})

describe('pages of two topics', () => {
  for (const [maxEvents, maxBytes] of [
    [1, 1e9],
    [3, 1e9],
    [100, 25],
    [100, 1],
  ] as const) {
    it(`are cut in the order of all events (${maxEvents} events, ${maxBytes} bytes)`, async (t) => {
      const queues = await testQueues(t)
      await queues.move(topicB)
      const expected = Array.from({ length: 20 }, (_, index) => `p${index}`)
      for (const [index, id] of expected.entries()) {
        const topicId = index % 3 === 0 ? queues.b : queues.a
        const knownMoves = topicId === queues.b ? [1] : []
        const event = { ...newEvent(topicId, id, 1, 'x'.repeat(10)), knownMoves }
        await enqueueEvents(queues.db, queues.schema, [event])
      }
      const cursor = await takeOver(queues, queues.destinationId)
      const seen: string[] = []
      for (;;) {
        const page = await cursor.nextPage(maxEvents, maxBytes)
        if (!page) break
        assert.ok(page.events.length <= maxEvents)
        assert.ok(page.events.length === 1 || page.events.length * 10 <= maxBytes)
        seen.push(...idsOf(page))
        await cursor.acknowledge(page)
      }
      assert.deepEqual(seen, expected)
    })
  }

  it('set an event of the left topic aside with the topic it is of', async (t) => {
    const queues = await testQueues(t)
    await write(queues, queues.a, 'a1')
    await queues.move(topicB)
    await queues.writeKnowing(queues.b, 'b1')
    const cursor = await takeOver(queues, queues.destinationId)
    const page = await cursor.nextPage(10, 1e9)
    assert.ok(page)
    await cursor.deadLetter(page, 0, 'too large')
    assert.deepEqual(await drain(cursor), ['b1'])
    const { rows } = await queues.pool.query(
      `select topic_id, resource_id from ${queues.schema.deadLetter}`,
    )
    assert.deepEqual(rows, [{ topic_id: queues.a, resource_id: 'a1' }])
  })
})

it('a destination can be deleted while its move is closed', async (t) => {
  const queues = await testQueues(t)
  await queues.move(topicB)
  const deleting = await openTransaction(queues.pool)
  await deleting.tx.query(`select from ${queues.schema.destination} where id = $1 for update`, [
    queues.destinationId,
  ])
  const closing = queues.close()
  await eventually(async () => {
    const { rows } = await queues.pool.query(
      `select from pg_stat_activity where datname = current_database() and wait_event_type = 'Lock'`,
    )
    return rows.length === 1
  })
  await removeDestination(deleting.tx, queues.schema, 'AidboxTopicDestination/mover')
  await deleting.commit()
  await closing
  assert.equal(await queues.sourceCount(), 0)
})

describe('a left topic', () => {
  it('wakes nobody any more, nor what the new one had before', async (t) => {
    const queues = await testQueues(t)
    await write(queues, queues.a, 'a1')
    await write(queues, queues.b, 'before')
    await queues.move(topicB)
    await queues.close()
    await eventuallyForgotten(queues)
    const cursor = await settleAll(queues, queues.destinationId)
    await write(queues, queues.a, 'not its own')
    await eventually(async () => {
      await drain(cursor)
      return cursor.restingPlace?.size === 1
    })
    const place = cursor.restingPlace
    assert.deepEqual(place, new Map([[queues.b, 2n]]))
    assert.deepEqual(await topicsWithEvents(queues.db, queues.schema, [place]), new Set())
    await write(queues, queues.b, 'b1')
    assert.deepEqual(await topicsWithEvents(queues.db, queues.schema, [place]), new Set([queues.b]))
    assert.deepEqual(await drain(cursor), ['b1'])
  })

  it('is forgotten when it is drained and nothing can come any more, not before', async (t) => {
    const queues = await testQueues(t)
    const late = await openTransaction(queues.pool)
    await enqueueEvents(late.tx, queues.schema, [newEvent(queues.a, 'late')])
    await write(queues, queues.a, 'a1')
    await queues.move(topicB)
    await dropDrainedSources(queues.db, queues.schema)
    await queues.close()
    await dropDrainedSources(queues.db, queues.schema)
    assert.equal(await queues.sourceCount(), 2)
    assert.deepEqual(await read(queues), ['a1'])
    await dropDrainedSources(queues.db, queues.schema)
    assert.equal(await queues.sourceCount(), 2, 'the late one may still commit')
    await late.commit()
    await settleAll(queues, queues.destinationId)
    await dropDrainedSources(queues.db, queues.schema)
    assert.equal(await queues.sourceCount(), 1)
    await queues.writeKnowing(queues.b, 'b1')
    assert.deepEqual(await read(queues), ['b1'])
    assert.equal(await queued(queues), 0)
  })

  it('keeps its slots of the log until it is drained', async (t) => {
    const queues = await testQueues(t, outboxSchema('small', { slotEvents: 10 }))
    await write(queues, queues.a, 'a1')
    await queues.move(topicB)
    await queues.close()
    const other = await addDestination(queues, 'on-b', topicB)
    await enqueueEvents(queues.db, queues.schema, newEvents(queues.b, 28))
    await settleAll(queues, other.destinationId)
    await cleanOutbox(queues.db, queues.schema)
    assert.equal((await read(queues))[0], 'a1')
  })

  it('is counted with a long queue', async (t) => {
    const queues = await testQueues(t)
    await enqueueEvents(queues.db, queues.schema, newEvents(queues.a, 30))
    await countBacklogs(queues.db, queues.schema, { minEvents: 10 })
    await queues.move(topicB)
    const knowing = newEvents(queues.b, 20).map((event) => ({ ...event, knownMoves: [1] }))
    await enqueueEvents(queues.db, queues.schema, knowing)
    assert.equal(await queued(queues), 50)
    await countBacklogs(queues.db, queues.schema, { minEvents: 10 })
    assert.equal(await queued(queues), 50)
    await queues.close()
    await eventuallyForgotten(queues)
    await enqueueEvents(queues.db, queues.schema, newEvents(queues.a, 5))
    await countBacklogs(queues.db, queues.schema, { minEvents: 10 })
    assert.equal(await queued(queues), 50)
    const cursor = await takeOver(queues, queues.destinationId)
    const page = await cursor.nextPage(40, 1e9)
    assert.ok(page)
    await cursor.acknowledge(page)
    assert.equal(await queued(queues), 10)
    await dropDrainedSources(queues.db, queues.schema)
    assert.equal(await queued(queues), 10)
    assert.equal((await drain(cursor)).length, 10)
    assert.equal(await queued(queues), 0)
  })

  it('does not keep its log when the destination is idle', async (t) => {
    const queues = await testQueues(t, outboxSchema('idle', { slotEvents: 10 }))
    await settleAll(queues, queues.destinationId)
    await queues.move(topicB)
    await queues.close()
    await eventuallyForgotten(queues)
    await enqueueEvents(queues.db, queues.schema, newEvents(queues.a, 40))
    const onA = (await addDestination(queues, 'on-a', topicA)).destinationId
    await settleAll(queues, onA)
    await settleAll(queues, (await addDestination(queues, 'on-b', topicB)).destinationId)
    await dropDrainedSources(queues.db, queues.schema)
    assert.equal(await queues.sourceCount(), 1)
    await cleanOutbox(queues.db, queues.schema)
    const { rows } = await queues.pool.query(
      `select from ${queues.schema.event} where id between 20 and 39`,
    )
    assert.equal(rows.length, 0)
  })

  it('lets go of what the new one had before', async (t) => {
    const queues = await testQueues(t)
    await write(queues, queues.a, 'a1')
    await write(queues, queues.b, 'before')
    await queues.move(topicB)
    await settleAll(queues, queues.destinationId)
    await settleAll(queues, (await addDestination(queues, 'on-b', topicB)).destinationId)
    await queues.writeKnowing(queues.b, 'b1')
    await deleteSettledEvents(queues.db, queues.schema, 0)
    const { rows } = await queues.pool.query(
      `select resource_id from ${queues.schema.event} where topic_id = ${queues.b}`,
    )
    assert.deepEqual(rows, [{ resource_id: 'b1' }])
    assert.deepEqual(await read(queues), ['b1'])
  })

  it('keeps its undecided events, and the move of a destination does not hide them: they are those of who reads it now', async (t) => {
    const queues = await testQueues(t)
    const undecided = { ...newEvent(queues.a, 'u'), error: 'not a boolean' }
    await parkUndecidedEvents(queues.db, queues.schema, [undecided])
    await queues.move(topicB)
    await queues.close()
    await eventuallyForgotten(queues)
    await dropDrainedSources(queues.db, queues.schema)
    await deleteSettledEvents(queues.db, queues.schema)
    const counted = async (id: string): Promise<number | undefined> => {
      const reference = `AidboxTopicDestination/${id}`
      return (await readDeliveryStatus(queues.db, queues.schema, reference))?.undecided
    }
    assert.deepEqual([await counted('mover'), await counted('on-a')], [0, 1])
    await addDestination(queues, 'on-a', topicB)
    await queues.close()
    assert.equal(await counted('on-a'), 1, 'nobody reads it any more')
  })

  it('keeps undecided events of nodes that did not know yet', async (t) => {
    const queues = await testQueues(t)
    const { db, schema } = queues
    await addDestination(queues, 'on-a', topicB)
    await queues.move(topicB)
    await parkUndecidedEvents(db, schema, [{ ...newEvent(queues.a, 'u'), error: 'not a boolean' }])
    await queues.close()
    await eventuallyForgotten(queues)
    await dropDrainedSources(db, schema)
    await deleteSettledEvents(db, schema)
    const status = await readDeliveryStatus(db, schema, 'AidboxTopicDestination/mover')
    assert.equal(status?.undecided, 1)
  })

  for (const isBack of [false, true]) {
    it(`is read to its end after a restore into another cluster${isBack ? ', also by one that came back' : ''}`, async (t) => {
      const queues = await testQueues(t)
      await write(queues, queues.a, 'a1', 'a2')
      await queues.move(topicB)
      await queues.writeKnowing(queues.a, 'not-its-own')
      await queues.writeKnowing(queues.b, 'b1')
      await queues.close()
      if (isBack) await queues.move(topicA)
      await queues.writeKnowing(queues.a, 'a3')
      await queues.pool.query(`update ${queues.schema.cluster} set system_identifier = 1`)
      await migrateOutbox(queues.pool, queues.schema)
      await write(queues, queues.a, 'a4')
      await write(queues, queues.b, 'b2')
      assert.deepEqual(
        await read(queues),
        isBack ? ['a1', 'a2', 'b1', 'a3', 'a4'] : ['a1', 'a2', 'b1', 'b2'],
      )
    })
  }
})
