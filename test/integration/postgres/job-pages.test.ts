import assert from 'node:assert/strict'
import { describe, it, type TestContext } from 'node:test'
import { readDeliveryStatus } from '../../../src/outbox/counters.ts'
import { discardDeadLetters } from '../../../src/outbox/dead-letters.ts'
import { enqueueEvents } from '../../../src/outbox/enqueue.ts'
import { EventCursor } from '../../../src/outbox/event-cursor.ts'
import type { JobPage } from '../../../src/outbox/job-page.ts'
import { cancelJobs, createJob } from '../../../src/outbox/jobs.ts'
import { addDestination, newEvents, testOutbox, type Outbox } from './outbox-fixture.ts'

interface Redriven extends Outbox {
  readonly destinationId: number
  readonly cursor: EventCursor
  readonly page: JobPage
  readonly discard: () => ReturnType<typeof discardDeadLetters>
  /** Delivered, dead, discarded. */
  readonly counts: () => Promise<readonly (number | undefined)[]>
}

/** Two dead letters, and the page of a redrive that has both. */
async function redriven(t: TestContext): Promise<Redriven> {
  const outbox = await testOutbox(t)
  const { db, schema } = outbox
  const { destinationId, topicId } = await addDestination(outbox, 'd')
  await enqueueEvents(db, schema, newEvents(topicId, 2))
  const cursor = await EventCursor.load(db, schema, destinationId, 0)
  for (let left = 2; left > 0; left--) {
    const page = await cursor.nextPage(10, 1e6)
    assert.ok(page)
    await cursor.deadLetter(page, 0, 'too large')
  }
  const job = await createJob(db, schema, {
    destinationId,
    kind: 'redrive',
    selection: {},
    maxPerSecond: 100,
    position: '0',
    total: 2,
  })
  assert.ok(job)
  const page: JobPage = {
    jobId: job.id,
    kind: 'redrive',
    position: '2',
    sent: 2,
    failed: 0,
    passedOver: 0,
    isLast: true,
    redriven: [1, 2],
    refused: [],
  }
  return {
    ...outbox,
    destinationId,
    cursor,
    page,
    discard: () => discardDeadLetters(db, schema, destinationId, {}),
    counts: async () => {
      const status = await readDeliveryStatus(db, schema, 'AidboxTopicDestination/d')
      return [status?.delivered, status?.dead, status?.discarded]
    },
  }
}

describe('a page of a redrive that is cancelled', () => {
  it('keeps its dead letters from being discarded until it is settled', async (t) => {
    const { db, schema, destinationId, cursor, page, discard, counts } = await redriven(t)
    assert.equal(await cursor.jobPages.write(page), true)
    await cancelJobs(db, schema, destinationId)
    assert.equal(await discard(), 'sending')
    await cursor.jobPages.settle(page)
    assert.equal(await discard(), 0)
    assert.deepEqual(await counts(), [2, 0, 0])
  })

  it('is not sent when it was not written before', async (t) => {
    const { db, schema, destinationId, cursor, page, discard, counts } = await redriven(t)
    await cancelJobs(db, schema, destinationId)
    assert.equal(await discard(), 2)
    assert.equal(await cursor.jobPages.write(page), false)
    assert.equal(cursor.jobPages.open, undefined)
    const reloaded = await EventCursor.load(db, schema, destinationId, 0)
    assert.equal(reloaded.jobPages.open, undefined)
    assert.deepEqual(await counts(), [0, 0, 2])
  })
})
