import assert from 'node:assert/strict'
import { it } from 'node:test'
import { UndecidedQueue } from '../../../src/delivery/undecided-queue.ts'
import { parkUndecidedEvents } from '../../../src/outbox/enqueue.ts'
import { listUndecided } from '../../../src/outbox/undecided-events.ts'
import { transactionsUntilEnded } from '../../../src/stopped.ts'
import { parseSubscriptionTopic } from '../../../src/triggers/subscription-topic.ts'
import { recordingLogger } from '../../helpers/recording-logger.ts'
import { addDestination, newEvent, testOutbox } from '../postgres/outbox-fixture.ts'

/** By topic: those that resolve ask the host, which does not answer. */
const criteria: Readonly<Record<string, string>> = {
  'slow-1': 'generalPractitioner.resolve().active = true',
  'slow-2': 'generalPractitioner.resolve().active = true',
  quick: "id = 'p'",
}

it('a queue whose reads do not end holds up no other, as many as there is room for', async (t) => {
  const outbox = await testOutbox(t)
  const { db, schema, pool } = outbox
  const generalPractitioner = [{ reference: 'Practitioner/d' }]
  const body = JSON.stringify({ resourceType: 'Patient', id: 'p', generalPractitioner })
  const topics = new Map(
    Object.entries(criteria).map(([url, fhirPathCriteria]) => [
      url,
      parseSubscriptionTopic({
        resourceType: 'AidboxSubscriptionTopic',
        id: url,
        url,
        status: 'active',
        trigger: [{ resource: 'Patient', fhirPathCriteria }],
      }),
    ]),
  )
  const topicIds = new Map<string, number>()
  // In this order: the slow ones have the lower ids.
  for (const url of topics.keys()) {
    const { topicId } = await addDestination(outbox, url, url)
    topicIds.set(url, topicId)
    await parkUndecidedEvents(db, schema, [
      { ...newEvent(topicId, 'p', 1, body), error: 'why', previous: { resourceType: 'Patient' } },
    ])
  }
  let asked = 0
  let wake: (topicIds: ReadonlySet<number>) => void = () => undefined
  const woken = new Promise<ReadonlySet<number>>((resolve) => (wake = resolve))
  const queue = new UndecidedQueue({
    db,
    inTransaction: transactionsUntilEnded(pool),
    schema,
    host: {
      read: () => {
        asked++
        return new Promise(() => undefined)
      },
    },
    registry: {
      matchedTopics: topics,
      audiences: (url) => [
        {
          topicId: topicIds.get(url) ?? 0,
          criteria: 'now',
          organizations: [],
          moves: [],
          hasAtLeastOnce: true,
          bestEffort: [],
        },
      ],
      refresh: () => Promise.resolve(),
      underOneView: (work) => work(),
    },
    parking: { lookForRoom: () => Promise.resolve() },
    wakeLanes: (ids) => {
      wake(ids)
    },
    maxQueuesAtOnce: 3,
    // Longer than any test: a queue that waited for the slow ones would wait for ever.
    readTimeoutMs: 3_600_000,
    logger: recordingLogger([]),
  })
  queue.start()
  try {
    assert.deepEqual([...(await woken)], [topicIds.get('quick')])
    const left = await listUndecided(db, schema, 'all', '0', 10)
    assert.deepEqual(
      left.map(({ topicUrl, attempts }) => [topicUrl, attempts]),
      [
        ['slow-1', 1],
        ['slow-2', 1],
      ],
    )
    // An operator does not wait for them either.
    await parkUndecidedEvents(db, schema, [
      { ...newEvent(topicIds.get('quick') ?? 0, 'q'), error: 'why', criteria: 'now' },
    ])
    assert.deepEqual(await queue.discard({ topicUrl: 'quick' }), { discarded: 1 })
  } finally {
    await queue.stop()
  }
  assert.equal(asked, 2)
})
