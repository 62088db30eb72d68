import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import type { Change } from '../../../src/host/types.ts'
import type { Audience } from '../../../src/delivery/audiences.ts'
import { selectEvents } from '../../../src/delivery/select-events.ts'
import { parseSubscriptionTopic } from '../../../src/triggers/subscription-topic.ts'
import { TopicIndex } from '../../../src/triggers/topic-index.ts'

const needsNone = '%current.exists() or %resource.empty()'
const criteria: Readonly<Record<string, readonly string[]>> = {
  fires: ['%previous.empty() or active = true'],
  'does not fire': ['%previous.active = true'],
  fails: ['%previous.active + 1 = true'],
  'needs none': [needsNone],
  'may fire': ["%previous.gender = 'male'", "id = 'other'"],
  'fires by another trigger': ['%previous.active = true', needsNone],
  'cannot fire': ["%previous.gender = 'male' and %current.gender = 'male'"],
}
const topics = Object.entries(criteria).map(([url, texts]) =>
  parseSubscriptionTopic({
    resourceType: 'AidboxSubscriptionTopic',
    id: 'x',
    url,
    status: 'active',
    trigger: texts.map((fhirPathCriteria) => ({ resource: 'Patient', fhirPathCriteria })),
  }),
)
const urls = Object.keys(criteria)

async function selected(
  change: Change,
  organizations: readonly string[] = [],
): Promise<{ events: string[]; undecided: string[] }> {
  const index = new TopicIndex()
  for (const topic of topics) index.put(topic)
  const audience = (topicId: number): Audience => ({
    topicId,
    criteria: 'c',
    organizations,
    moves: [],
    hasAtLeastOnce: true,
    bestEffort: [],
  })
  const read = (): Promise<never> => Promise.reject(new Error('nothing is to be read'))
  const { events, undecided } = await selectEvents([change], [change], undefined, read, {
    index,
    audiences: (url) => [audience(urls.indexOf(url))],
  })
  return {
    events: events.map(({ topicId }) => urls[topicId] ?? ''),
    undecided: undecided.map(({ topicUrl, error }) => `${topicUrl}: ${error}`),
  }
}

const resource = { resourceType: 'Patient', id: 'p', active: true }
const named = { resourceType: 'Patient', id: 'p' }
const unknown = 'The criteria needs the version before this change, which is not known.'
const needing = ['fires', 'does not fire', 'fails', 'may fire'].map((url) => `${url}: ${unknown}`)

describe('a change without the version before it', () => {
  for (const interaction of ['update', 'delete'] as const) {
    it(`${interaction}: no criteria that asks for it is decided by its absence`, async () => {
      const change = {
        ...named,
        interaction,
        ...(interaction === 'update' && { current: resource }),
      }
      const { events, undecided } = await selected(change)
      assert.deepEqual(events.toSorted(), ['fires by another trigger', 'needs none'])
      assert.deepEqual(undecided.toSorted(), needing.toSorted())
    })
  }

  it('delete: nobody takes it for one of no organization', async () => {
    const { events, undecided } = await selected({ ...named, interaction: 'delete' }, [
      'Organization/o',
    ])
    assert.deepEqual(events, [])
    assert.deepEqual(
      undecided.find((each) => each.startsWith('needs none')),
      'needs none: The organization of what was deleted is not known.',
    )
  })

  it('create: there is none, which is known', async () => {
    const { events, undecided } = await selected({
      ...named,
      interaction: 'create',
      current: resource,
    })
    assert.deepEqual(events.toSorted(), ['fires', 'fires by another trigger', 'needs none'])
    assert.deepEqual(undecided, [])
  })

  it('update with it: each criteria decides', async () => {
    const { events } = await selected({
      ...named,
      interaction: 'update',
      current: resource,
      previous: resource,
    })
    assert.deepEqual(events.toSorted(), [
      'does not fire',
      'fires',
      'fires by another trigger',
      'needs none',
    ])
  })
})
