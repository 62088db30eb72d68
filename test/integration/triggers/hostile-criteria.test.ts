import assert from 'node:assert/strict'
import { it } from 'node:test'
import { hostileCriteria, hostileResources } from '../../helpers/hostile-criteria.ts'
import { budgetSpent } from '../../../src/triggers/topic-budgets.ts'
import { destinationResource, topicResource } from '../../helpers/topic-resources.ts'
import { startNodes } from '../delivery/nodes.ts'

interface UndecidedRow {
  readonly topic: string
  readonly resource: string
  readonly error: string
}

it('commits every write beside criteria that had to be stopped, and sets their events aside', async (t) => {
  const { first, pool } = await startNodes(t)
  const { host } = first
  await host.transaction(async (writes) => {
    for (const [n, { criteria, on }] of hostileCriteria.entries()) {
      const resource = hostileResources[on].resourceType
      await writes.put(topicResource(`hostile-${n}`, { resource, fhirPathCriteria: criteria }))
      // Paused: what is looked at here stands in the outbox.
      const paused = { status: 'off' }
      await writes.put(
        destinationResource(
          `to-${n}`,
          'kafka-at-least-once',
          `hostile-${n}`,
          'never-used',
          '127.0.0.1:1',
          paused,
        ),
      )
    }
  })

  for (const resource of Object.values(hostileResources)) {
    await host.put(resource)
    await host.put({ ...resource, language: 'en' })
  }

  const versions = await pool.query<{ reference: string; version: number }>(
    `select reference, version from resource where reference not like 'Aidbox%' order by 1`,
  )
  assert.deepEqual(
    versions.rows,
    Object.values(hostileResources)
      .map(({ resourceType, id }) => ({ reference: `${resourceType}/${id}`, version: 2 }))
      .toSorted((a, b) => (a.reference < b.reference ? -1 : 1)),
  )
  const { rows } = await pool.query<UndecidedRow>(
    `select t.url as topic, u.resource_type || '/' || u.resource_id as resource, u.error
       from topic_destination.undecided_event u join topic_destination.topic t on t.id = u.topic_id
      where u.interaction = 'u'`,
  )
  for (const [n, { criteria, on, stopped }] of hostileCriteria.entries()) {
    const { resourceType, id } = hostileResources[on]
    const row = rows.find(
      ({ topic, resource }) =>
        topic === `http://example.org/topic/hostile-${n}` && resource === `${resourceType}/${id}`,
    )
    if (stopped === undefined) assert.equal(row, undefined, criteria)
    else assert.ok(row?.error.includes(stopped), `${criteria}: ${row?.error}`)
  }
})

it('commits a write beside a topic of 500 hostile triggers, and sets its event aside when its budget is spent', async (t) => {
  const { first, pool } = await startNodes(t)
  const { host } = first
  const paused = { status: 'off' }
  const destination = (id: string, topic: string): ReturnType<typeof destinationResource> =>
    destinationResource(id, 'kafka-at-least-once', topic, 'never-used', '127.0.0.1:1', paused)
  const hostile = Array.from({ length: 500 }, (_, n) => ({
    resource: 'Patient',
    fhirPathCriteria: `name.where(%current.name.where(given = 'z${n}').exists()).exists()`,
  }))
  await host.put(topicResource('hostile', ...hostile))
  await host.put(topicResource('other', { resource: 'Patient', fhirPathCriteria: 'name.exists()' }))
  await host.put(destination('to-hostile', 'hostile'))
  await host.put(destination('to-other', 'other'))

  await host.put(hostileResources.names)

  const parked = await pool.query<{ url: string; error: string }>(
    `select t.url, u.error from topic_destination.undecided_event u join topic_destination.topic t on t.id = u.topic_id`,
  )
  assert.deepEqual(parked.rows, [{ url: 'http://example.org/topic/hostile', error: budgetSpent }])
  const sent = await pool.query<{ url: string }>(
    `select t.url from topic_destination.event e join topic_destination.topic t on t.id = e.topic_id`,
  )
  assert.deepEqual(sent.rows, [{ url: 'http://example.org/topic/other' }])
})
