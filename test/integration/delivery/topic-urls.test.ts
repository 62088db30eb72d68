import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { topicResource, type TestResource } from '../../helpers/topic-resources.ts'
import { startNodes, type Node } from './nodes.ts'

function topic(id: string, url: string): TestResource {
  return { ...topicResource(id, { resource: 'Patient' }), url: `http://example.org/topic/${url}` }
}

const isTaken = /belongs to AidboxSubscriptionTopic\/\w+\. Give this topic a url of its own/

describe('the url of a topic', () => {
  it('is one topic’s, also when two are written at the same time or in one transaction', async (t) => {
    const { all } = await startNodes(t, 2)
    const [a, b] = all as [Node, Node]
    await assert.rejects(a.host.put(topic('a', 'same'), topic('b', 'same')), isTaken)
    const writes = await Promise.allSettled(
      ['c', 'd', 'e', 'f'].map((id, index) => (index % 2 ? a : b).host.put(topic(id, 'same'))),
    )
    const refused = writes.flatMap((write) =>
      write.status === 'rejected' ? [String(write.reason)] : [],
    )
    assert.equal(refused.length, 3)
    for (const reason of refused) assert.match(reason, isTaken)
    await assert.rejects(b.host.put(topic('g', 'same')), isTaken)
  })

  it('is free when its topic is deleted or takes another one, in the same transaction too', async (t) => {
    const { first } = await startNodes(t)
    const { host } = first
    await host.put(topic('a', 'one'), topic('b', 'two'))
    await host.put(topic('a', 'two'), topic('b', 'one'))
    await host.transaction(async (writes) => {
      await writes.put(topic('c', 'one'))
      await writes.delete('AidboxSubscriptionTopic/b')
    })
    await host.put(topic('a', 'three'))
    await host.put(topic('d', 'two'))
    await host.put(topic('c', 'one'))
    await assert.rejects(host.put(topic('c', 'three')), isTaken)
  })
})
