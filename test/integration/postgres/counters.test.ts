import assert from 'node:assert/strict'
import { describe, it, type TestContext } from 'node:test'
import { countBacklogs } from '../../../src/outbox/backlog-count.ts'
import { foldSilentNodes } from '../../../src/outbox/cleanup.ts'
import {
  flushBestEffortCounters,
  readDeliveryStatus,
  type DeliveryStatus,
} from '../../../src/outbox/counters.ts'
import { removeDestination } from '../../../src/outbox/destinations.ts'
import { enqueueEvents, parkUndecidedEvents } from '../../../src/outbox/enqueue.ts'
import {
  addDestination,
  cursorRow,
  drain,
  newEvent,
  newEvents,
  openTransaction,
  takeOver,
  testOutbox,
  write,
  type Outbox,
} from './outbox-fixture.ts'

const reference = 'AidboxTopicDestination/a'

async function status({ db, schema }: Outbox): Promise<DeliveryStatus> {
  const found = await readDeliveryStatus(db, schema, reference)
  assert.ok(found)
  return found
}

/** queued, in process, delivered, dead */
async function counts(outbox: Outbox): Promise<number[]> {
  const { queued, inProcess, delivered, dead } = await status(outbox)
  return [queued, inProcess, delivered, dead]
}

describe('counters of an at-least-once destination', () => {
  it('are exact at each step', async (t) => {
    const outbox = await testOutbox(t)
    const { destinationId, topicId } = await addDestination(outbox, 'a')
    assert.deepEqual(await counts(outbox), [0, 0, 0, 0])
    await write(outbox, topicId, '1', '2', '3', '4', '5')
    assert.deepEqual(await counts(outbox), [5, 0, 0, 0])
    const cursor = await takeOver(outbox, destinationId)
    const page = await cursor.nextPage(4, 1e9)
    assert.ok(page)
    assert.deepEqual(await counts(outbox), [1, 4, 0, 0])
    await cursor.acknowledge(page, 3)
    assert.deepEqual(await counts(outbox), [2, 0, 3, 0])
    const rest = await cursor.nextPage(4, 1e9)
    assert.ok(rest)
    await cursor.deadLetter(rest, 0, 'too large')
    assert.deepEqual(await counts(outbox), [1, 0, 3, 1])
    await drain(cursor)
    assert.deepEqual(await counts(outbox), [0, 0, 4, 1])
  })

  it('keep the five newest errors; one that repeats only renews its time', async (t) => {
    const outbox = await testOutbox(t)
    const { destinationId } = await addDestination(outbox, 'a')
    const cursor = await takeOver(outbox, destinationId)
    for (const error of ['1', '2', '3', '4', '5', '6']) await cursor.recordFailure(2, error)
    const before = await status(outbox)
    await cursor.recordFailure(1, '6')
    const after = await status(outbox)
    assert.equal(after.failedAttempts, 13)
    const messages = async (): Promise<string[]> =>
      (await status(outbox)).lastErrors.map(({ message }) => message)
    assert.deepEqual(await messages(), ['6', '5', '4', '3', '2'])
    await cursor.recordFailure(1, '3')
    assert.deepEqual(await messages(), ['3', '6', '5', '4', '2'])
    const [was, is] = [before.lastErrors[0]?.timestamp, after.lastErrors[0]?.timestamp]
    assert.ok(was && is && is > was)
  })

  it('do not exist for an unknown destination', async (t) => {
    const { db, schema } = await testOutbox(t)
    assert.equal(await readDeliveryStatus(db, schema, reference), undefined)
  })

  it('count the undecided events of the topic, also those from before the start, which it would get', async (t) => {
    const outbox = await testOutbox(t)
    const { db, schema } = outbox
    const { topicId } = await addDestination(outbox, 'a')
    await parkUndecidedEvents(db, schema, [{ ...newEvent(topicId, 'p'), error: 'not a boolean' }])
    await outbox.pool
      .query(`insert into ${schema.undecidedEvent} (topic_id, interaction, resource_type, resource_id, at, error)
      select ${topicId}, 'u', 'Patient', 'old', started_at - interval '1 second', 'x' from ${schema.destination}`)
    assert.equal((await status(outbox)).undecided, 2)
  })
})

describe('the count of a long queue', () => {
  interface Counted extends Outbox {
    readonly destinationId: number
    readonly topicId: number
    count(): Promise<unknown>
    isCounting(): Promise<boolean>
  }

  async function counted(t: TestContext): Promise<Counted> {
    const outbox = await testOutbox(t)
    const { destinationId, topicId } = await addDestination(outbox, 'a')
    return {
      ...outbox,
      destinationId,
      topicId,
      count: () => countBacklogs(outbox.db, outbox.schema, { minEvents: 10 }),
      isCounting: async () => (await cursorRow(outbox, destinationId)).isCounting,
    }
  }

  it('comes to each destination in its turn', async (t) => {
    const queue = await counted(t)
    const { db, schema, topicId } = queue
    const { destinationId: second } = await addDestination(queue, 'b')
    const { destinationId: third } = await addDestination(queue, 'c')
    await enqueueEvents(db, schema, newEvents(topicId, 10))
    const turn = (afterDestinationId: number) =>
      countBacklogs(db, schema, { minEvents: 10, afterDestinationId, maxDestinations: 2 })
    assert.equal(await turn(0), second)
    assert.equal((await cursorRow(queue, third)).isCounting, false)
    assert.equal(await turn(second), 0)
    for (const id of [queue.destinationId, second, third]) {
      assert.equal((await cursorRow(queue, id)).isCounting, true)
    }
  })

  it('begins when the queue is long, stays exact, ends when the cursor passes it', async (t) => {
    const queue = await counted(t)
    const { db, schema, topicId, destinationId } = queue
    await enqueueEvents(db, schema, newEvents(topicId, 9))
    await queue.count()
    assert.equal(await queue.isCounting(), false)
    await write(queue, topicId, '10')
    await queue.count()
    assert.equal(await queue.isCounting(), true)
    assert.deepEqual(await counts(queue), [10, 0, 0, 0])
    const cursor = await takeOver(queue, destinationId)
    const page = await cursor.nextPage(4, 1e9)
    assert.ok(page)
    assert.deepEqual(await counts(queue), [6, 4, 0, 0])
    await queue.count()
    await write(queue, topicId, '11', '12')
    assert.deepEqual(await counts(queue), [8, 4, 0, 0])
    await cursor.acknowledge(page)
    const rest = await cursor.nextPage(4, 1e9)
    assert.ok(rest)
    await cursor.deadLetter(rest, 0, 'too large')
    await queue.count()
    await queue.count()
    assert.deepEqual(await counts(queue), [7, 0, 4, 1])
    assert.equal(await queue.isCounting(), true)
    await drain(cursor, 5)
    assert.equal(await queue.isCounting(), false)
    assert.deepEqual(await counts(queue), [0, 0, 11, 1])
  })

  it('counts late commits once and rollbacks never, below and above its mark', async (t) => {
    const queue = await counted(t)
    const { db, schema, topicId } = queue
    const late = await openTransaction(queue.pool)
    const gone = await openTransaction(queue.pool)
    await enqueueEvents(late.tx, schema, newEvents(topicId, 3))
    await enqueueEvents(gone.tx, schema, newEvents(topicId, 3))
    await enqueueEvents(db, schema, newEvents(topicId, 10))
    for (let second = 0; second < 3; second++) await queue.count()
    assert.equal((await status(queue)).queued, 10)
    await enqueueEvents(late.tx, schema, newEvents(topicId, 2))
    await late.commit()
    await gone.rollback()
    assert.equal((await status(queue)).queued, 15)
    for (let second = 0; second < 4; second++) {
      await queue.count()
      assert.equal((await status(queue)).queued, 15)
    }
    const cursor = await takeOver(queue, queue.destinationId)
    assert.equal((await drain(cursor)).length, 15)
    assert.deepEqual(await counts(queue), [0, 0, 15, 0])
  })

  it('is exact while nodes count and a leader acknowledges at the same time', async (t) => {
    const queue = await counted(t)
    const { db, schema, topicId } = queue
    const total = 3000
    await enqueueEvents(db, schema, newEvents(topicId, total))
    const drained = new AbortController()
    const sums = new Set<number>()
    const watch = async (): Promise<void> => {
      while (!drained.signal.aborted) {
        await queue.count()
        const [queued = 0, inProcess = 0, delivered = 0] = await counts(queue)
        sums.add(queued + inProcess + delivered)
      }
    }
    const watchers = [watch(), watch(), watch()]
    const cursor = await takeOver(queue, queue.destinationId)
    await drain(cursor, 20)
    drained.abort()
    await Promise.all(watchers)
    assert.deepEqual([...sums], [total])
    assert.deepEqual(await counts(queue), [0, 0, total, 0])
  })
})

describe('counters of a best-effort destination', () => {
  const bestEffort = async (t: TestContext): Promise<Outbox & { destinationId: number }> => {
    const outbox = await testOutbox(t)
    const row = await addDestination(outbox, 'a', undefined, 'kafka-best-effort')
    return { ...outbox, destinationId: row.destinationId }
  }
  const sums = async (outbox: Outbox): Promise<number[]> => {
    const { delivered, lost, inProcess } = await status(outbox)
    return [delivered, lost, inProcess]
  }

  it('are summed over nodes; a node writes absolute numbers', async (t) => {
    const outbox = await bestEffort(t)
    const { db, schema, destinationId } = outbox
    const first = { destinationId, delivered: 5, lost: 1, inProcess: 2 }
    await flushBestEffortCounters(db, schema, 'a', [first])
    await flushBestEffortCounters(db, schema, 'a', [{ ...first, delivered: 7, inProcess: 0 }])
    await flushBestEffortCounters(db, schema, 'b', [{ ...first, delivered: 1 }])
    await flushBestEffortCounters(db, schema, 'b', [])
    assert.deepEqual(await sums(outbox), [8, 2, 2])
    assert.equal((await status(outbox)).queued, 0)
  })

  it('show the newest errors of all nodes, each once', async (t) => {
    const outbox = await bestEffort(t)
    const { db, schema, destinationId } = outbox
    const zero = { destinationId, delivered: 0, lost: 0, inProcess: 0 }
    const told = (...errors: readonly (readonly [message: string, second: number])[]) =>
      errors.map(([message, second]) => ({
        message,
        timestamp: new Date(Date.UTC(2026, 0, 1, 0, 0, second)),
      }))
    for (const [nodeId, lastErrors] of [
      ['a', told(['one', 1])],
      ['a', told(['three', 3], ['one', 1])],
      ['a', told(['three', 4], ['one', 1])],
      ['b', told(['two', 2], ['oldest', -1], ['b3', -2], ['b2', -3])],
      ['c', told(['oldest', 0])],
    ] as const) {
      await flushBestEffortCounters(db, schema, nodeId, [{ ...zero, lastErrors }])
    }
    assert.deepEqual(
      (await status(outbox)).lastErrors.map(({ message, timestamp }) => [
        message,
        timestamp.getUTCSeconds(),
      ]),
      [
        ['three', 4],
        ['two', 2],
        ['one', 1],
        ['oldest', 0],
        ['b3', 58],
      ],
    )
  })

  it('take what a silent node had in memory for lost, and fold its row after a day without changing the sums', async (t) => {
    const outbox = await bestEffort(t)
    const { db, schema, pool, destinationId } = outbox
    const flushed = { destinationId, delivered: 5, lost: 1, inProcess: 2 }
    const silence = (nodeId: string, time: string): Promise<unknown> =>
      pool.query(
        `update ${schema.bestEffortCounter} set seen_at = clock_timestamp() - $2::interval where node_id = $1`,
        [nodeId, time],
      )
    for (const nodeId of ['a', 'b', 'c']) {
      await flushBestEffortCounters(db, schema, nodeId, [flushed])
    }
    await silence('a', '1 minute')
    assert.deepEqual(await sums(outbox), [15, 5, 4])
    await foldSilentNodes(db, schema)
    assert.deepEqual(await sums(outbox), [15, 5, 4])
    await silence('a', '2 days')
    await foldSilentNodes(db, schema)
    await silence('b', '2 days')
    await Promise.all([foldSilentNodes(db, schema), foldSilentNodes(db, schema)])
    assert.deepEqual(await sums(outbox), [15, 7, 2])
    const { rows } = await pool.query(`select node_id from ${schema.bestEffortCounter} order by 1`)
    assert.deepEqual(rows, [{ node_id: '' }, { node_id: 'c' }])
  })

  it('of a destination that was deleted meanwhile are dropped', async (t) => {
    const outbox = await bestEffort(t)
    const { db, schema, destinationId } = outbox
    const other = await addDestination(outbox, 'b', undefined, 'kafka-best-effort')
    await removeDestination(db, schema, reference)
    const flushed = { delivered: 5, lost: 1, inProcess: 2 }
    await flushBestEffortCounters(db, schema, 'a', [
      { destinationId, ...flushed },
      { destinationId: other.destinationId, ...flushed },
    ])
    assert.equal((await readDeliveryStatus(db, schema, other.reference))?.delivered, 5)
  })
})
