import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { TopicViews } from '../../../src/monitor/topic-views.ts'
import type { DestinationView } from '../../../src/monitor/views.ts'
import type { SubscriptionTopic } from '../../../src/triggers/subscription-topic.ts'

const topic = (id: string): SubscriptionTopic => ({
  reference: `AidboxSubscriptionTopic/${id}`,
  url: `http://example.org/${id}`,
  status: 'active',
  triggers: [],
})
const topicsOf = (...ids: string[]) =>
  new Map(ids.map((id) => [`http://example.org/${id}`, topic(id)]))

/** The other fields are not looked at. */
const destination = (id: string, topicId: string, counts: object, perSecond?: number) =>
  ({
    reference: `AidboxTopicDestination/${id}`,
    topicUrl: `http://example.org/${topicId}`,
    counts: { delivered: 0, dead: 0, lost: 0, queued: 0, inProcess: 0, ...counts },
    ...(perSecond === undefined ? {} : { deliveredPerSecond: perSecond }),
  }) as DestinationView

describe('topics for those who watch', () => {
  it('are sorted by url, and anew only when they have changed', () => {
    const registry = { topics: topicsOf('b', 'a'), topicFault: () => undefined }
    const views = new TopicViews(registry)
    const { names } = views
    assert.deepEqual(
      names.map(({ id }) => id),
      ['a', 'b'],
    )
    assert.equal(views.names, names)
    registry.topics = topicsOf('c', 'a')
    assert.deepEqual(
      views.names.map(({ id }) => id),
      ['a', 'c'],
    )
  })

  it('add up what their destinations have got', () => {
    const registry = { topics: topicsOf('a', 'b'), topicFault: () => 'Its criteria is gone.' }
    const views = new TopicViews(registry)
    const destinations = [
      destination('one', 'a', { delivered: 5, queued: 2 }, 1.5),
      destination('two', 'a', { lost: 1, dead: 1, inProcess: 1 }, 2),
      destination('three', 'c', { delivered: 100 }),
    ]
    const view = views.view('http://example.org/a', destinations)
    assert.deepEqual(
      [view?.events, view?.deliveredPerSecond, view?.destinations, view?.fault],
      [
        10,
        3.5,
        ['AidboxTopicDestination/one', 'AidboxTopicDestination/two'],
        'Its criteria is gone.',
      ],
    )
    const quiet = views.view('http://example.org/b', destinations)
    assert.deepEqual([quiet?.events, quiet?.deliveredPerSecond], [0, undefined])
    assert.equal(views.view('http://example.org/c', destinations), undefined)
  })
})
