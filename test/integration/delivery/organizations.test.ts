import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { newTopic, testKafka } from '../../helpers/kafka.ts'
import type { TestResource } from '../../helpers/topic-resources.ts'
import {
  destination,
  ofOrganization,
  patient,
  patientsTopic,
  readTold,
  startNodes,
  statusOf,
  untilStatus,
} from './nodes.ts'

const { bootstrapServers } = await testKafka()

function organization(id: string, partOf?: string): TestResource {
  const above = partOf === undefined ? {} : { partOf: { reference: `Organization/${partOf}` } }
  return { resourceType: 'Organization', id, ...above }
}

/** a above b above c; d beside them. */
const hierarchy = [
  organization('a'),
  organization('b', 'a'),
  organization('c', 'b'),
  organization('d'),
]
const writes = [
  patient('none'),
  ofOrganization('a', patient('of-a')),
  ofOrganization('b', patient('of-b')),
  ofOrganization('c', patient('of-c')),
  ofOrganization('d', patient('of-d')),
]

describe('topics and destinations of an organization', () => {
  for (const kind of ['kafka-at-least-once', 'kafka-best-effort'] as const) {
    it(`get the events of it and of those below it: the topic's filter first, then the destination's, ${kind}`, async (t) => {
      const { first } = await startNodes(t)
      const { host } = first
      await host.put(...hierarchy)
      await host.put(
        patientsTopic,
        ofOrganization('b', { ...patientsTopic, id: 'of-b', url: 'http://example.org/topic/of-b' }),
      )
      const expected: [id: string, topicId: string, limit: string | undefined, string[]][] = [
        ['all', 'patients', undefined, ['none', 'of-a', 'of-b', 'of-c', 'of-d']],
        ['in-a', 'patients', 'a', ['of-a', 'of-b', 'of-c']],
        ['in-b', 'patients', 'b', ['of-b', 'of-c']],
        ['in-d', 'patients', 'd', ['of-d']],
        ['topic-b', 'of-b', undefined, ['of-b', 'of-c']],
        ['topic-b-in-a', 'of-b', 'a', ['of-b', 'of-c']],
        ['topic-b-in-c', 'of-b', 'c', ['of-c']],
        ['topic-b-in-d', 'of-b', 'd', []],
      ]
      const kafkaTopics = new Map<string, string>()
      for (const [id, topicId, limit] of expected) {
        const kafkaTopic = await newTopic(bootstrapServers)
        kafkaTopics.set(id, kafkaTopic)
        const made = destination(id, { kind, topicId, kafkaTopic, bootstrapServers })
        await host.put(limit === undefined ? made : ofOrganization(limit, made))
      }
      for (const each of writes) await host.put(each)
      for (const [id, , , patients] of expected) {
        await untilStatus(first, id, (now) => now['messagesDelivered'] === patients.length)
        assert.equal((await statusOf(first, id))?.['messagesInProcess'], 0)
        if (patients.length === 0) continue
        const events = await readTold(
          bootstrapServers,
          kafkaTopics.get(id) ?? '',
          ({ length }) => length >= patients.length,
        )
        assert.deepEqual(
          events.map(({ focus }) => focus),
          patients.map((name) => `Patient/${name}`),
          id,
        )
      }
    })
  }

  it('follow the hierarchy as the transaction of the write has it, and a deletion counts for where the resource was', async (t) => {
    const { first } = await startNodes(t)
    const { host } = first
    await host.put(...hierarchy)
    await host.put(patientsTopic)
    const kafkaTopic = await newTopic(bootstrapServers)
    await host.put(ofOrganization('a', destination('d', { kafkaTopic, bootstrapServers })))
    await host.put(ofOrganization('d', patient('p')))
    await host.transaction(async (each) => {
      await each.put(organization('d', 'c'))
      await each.put(ofOrganization('d', patient('q')))
    })
    await host.delete('Patient/p')
    // Part of itself: no end, and no harm.
    await host.put(organization('a', 'c'))
    await host.put(ofOrganization('c', patient('r')))
    const events = await readTold(bootstrapServers, kafkaTopic, ({ length }) => length >= 3)
    assert.deepEqual(
      events.map(({ focus }) => focus),
      ['Patient/q', 'Patient/p', 'Patient/r'],
    )
  })

  it('leave an event undecided when the hierarchy cannot be read, and the write goes on', async (t) => {
    const { first, pool } = await startNodes(t)
    const { host } = first
    await host.put(...hierarchy)
    await host.put(patientsTopic)
    const kafkaTopic = await newTopic(bootstrapServers)
    await host.put(ofOrganization('a', destination('d', { kafkaTopic, bootstrapServers })))
    const read = host.read.bind(host)
    host.read = async (references, tx) => {
      if (references.some((reference) => reference.startsWith('Organization/'))) {
        await tx?.query('select * from table_that_is_not_there')
      }
      return read(references, tx)
    }
    await host.put(ofOrganization('c', patient('p')))
    const status = await untilStatus(first, 'd', (now) => now['messagesUndecided'] === 1)
    assert.equal(status['messagesQueued'], 0)
    const { rows } = await pool.query(`select error from topic_destination.undecided_event`)
    assert.deepEqual(rows, [{ error: 'The references could not be read (42P01).' }])
    assert.ok((await read(['Patient/p'])).has('Patient/p'))
  })

  it('must be named in a way that can be looked up', async (t) => {
    const { first } = await startNodes(t)
    const { host } = first
    await assert.rejects(
      host.put(ofOrganization('x/y', patientsTopic)),
      /Write the organization as valueReference/,
    )
    await host.put(patientsTopic)
    const made = destination('d', { kafkaTopic: 'never-used', bootstrapServers })
    await assert.rejects(
      host.put(ofOrganization('', made)),
      /Write the organization as valueReference/,
    )
    const twice = ofOrganization('a', made)
    const [extension] = (twice['meta'] as { extension: object[] }).extension
    const meta = { ...(twice['meta'] as object), extension: [extension, extension] }
    await assert.rejects(host.put({ ...made, meta }), /Write one organization/)
  })
})
