import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { topicsWithEvents } from '../../../src/outbox/topics-with-events.ts'
import {
  addDestination,
  eventually,
  newEvent,
  openTransaction,
  settleAll,
  takeOver,
  testOutbox,
  write,
} from './outbox-fixture.ts'
import { enqueueEvents } from '../../../src/outbox/enqueue.ts'

describe('topicsWithEvents', () => {
  it('names the topics that have an event behind the given id', async (t) => {
    const outbox = await testOutbox(t)
    const { topicId: one } = await addDestination(outbox, 'a', 'http://example.org/one')
    const { topicId: two } = await addDestination(outbox, 'b', 'http://example.org/two')
    const { topicId: three } = await addDestination(outbox, 'c', 'http://example.org/three')
    await write(outbox, one, 'p1', 'p2')
    await write(outbox, two, 'p3')
    const behind = (...places: [number, bigint][]) =>
      topicsWithEvents(
        outbox.db,
        outbox.schema,
        places.map((place) => new Map([place])),
      )
    assert.deepEqual(await behind([one, 0n], [two, 0n], [three, 0n]), new Set([one, two]))
    assert.deepEqual(await behind([one, 1n], [two, 3n]), new Set([one]))
    assert.deepEqual(await behind([one, 2n], [two, 2n]), new Set([two]))
    assert.deepEqual(await behind([one, 2n], [one, 1n]), new Set([one]))
    assert.deepEqual(await behind(), new Set())
  })
})

describe('the resting place of a cursor', () => {
  it('is behind its last event; what comes later stands behind it, whenever its transaction began', async (t) => {
    const outbox = await testOutbox(t)
    const { destinationId, topicId } = await addDestination(outbox, 'a')
    const open = await openTransaction(outbox.pool)
    await enqueueEvents(open.tx, outbox.schema, [newEvent(topicId, 'late')])
    await write(outbox, topicId, 'early')
    const cursor = await takeOver(outbox, destinationId)
    const page = await cursor.nextPage(10, 1e9)
    assert.ok(page)
    assert.equal(cursor.restingPlace, undefined)
    await cursor.acknowledge(page)
    for (let look = 0; look < 5; look++) {
      assert.equal(await cursor.isDrained(), true)
      await cursor.rest()
      assert.equal(cursor.restingPlace, undefined, 'the late event stands before the early one')
    }
    await open.commit()
    assert.equal(await cursor.isDrained(), false)
    const settled = await settleAll(outbox, destinationId)
    await eventually(async () => {
      await settled.rest()
      return (await settled.isDrained()) && settled.restingPlace !== undefined
    })
    assert.deepEqual(settled.restingPlace, new Map([[topicId, 2n]]))
  })
})

describe('whether a cursor is drained', () => {
  it('is asked without changing the row, and sees what a dead leader left', async (t) => {
    const outbox = await testOutbox(t)
    const { destinationId, topicId } = await addDestination(outbox, 'a')
    await write(outbox, topicId, 'p1', 'p2')
    const row = async () =>
      (await outbox.pool.query<object>(`select * from ${outbox.schema.destination}`)).rows
    const dead = await takeOver(outbox, destinationId)
    assert.ok(await dead.nextPage(10, 1e9))
    const cursor = await takeOver(outbox, destinationId)
    const before = await row()
    assert.equal(await cursor.isDrained(), false)
    assert.deepEqual(await row(), before)
  })
})
