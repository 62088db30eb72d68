import assert from 'node:assert/strict'
import { describe, it, type TestContext } from 'node:test'
import type { ModuleOptions } from '../../../src/options.ts'
import { consumeUntil, newTopic, testKafka, type ConsumedRecord } from '../../helpers/kafka.ts'
import { topicResource } from '../../helpers/topic-resources.ts'
import { assertNeverBack, deliveryOf } from './job-records.ts'
import {
  destination,
  patient,
  patientsTopic,
  startNodes,
  told,
  untilStatus,
  type Nodes,
} from './nodes.ts'
import { handOver, startRelay, untilDead } from './relays.ts'

const { bootstrapServers } = await testKafka()

interface Filled extends Nodes {
  readonly kafkaTopic: string
}

/** Patients that were there before the destination. */
async function filled(
  t: TestContext,
  count: number,
  topic = patientsTopic,
  options: Partial<ModuleOptions> = {},
): Promise<Filled> {
  const nodes = await startNodes(t, 1, options)
  const { host } = nodes.first
  const kafkaTopic = await newTopic(bootstrapServers)
  await host.transaction(async (writes) => {
    for (let n = 0; n < count; n++) await writes.put(patient(`p${n}`, { active: n % 2 === 0 }))
    await writes.put(patient('deleted'))
    await writes.put({ resourceType: 'Observation', id: 'not-selected' })
  })
  await host.delete('Patient/deleted')
  await host.put(topic)
  await host.put(destination('d', { kafkaTopic, bootstrapServers }))
  return { ...nodes, kafkaTopic }
}

async function consume(
  kafkaTopic: string,
  isDone: (records: readonly ConsumedRecord[]) => boolean,
): Promise<ConsumedRecord[]> {
  return consumeUntil(bootstrapServers, kafkaTopic, isDone, { deadlineMs: 60_000 })
}

function isBackfilled(record: ConsumedRecord): boolean {
  return deliveryOf(record) === 'backfill'
}

describe('$backfill', () => {
  it('sends every selected resource once as it is now, numbered like others and marked', async (t) => {
    const { first, kafkaTopic } = await filled(t, 300)
    await first.host.put(patient('p1', { active: true }))
    await first.host.operate('backfill', 'd')
    const status = await untilStatus(first, 'd', ({ jobs }) => jobs[0]?.['state'] === 'done')
    await first.host.put(patient('after'))
    const records = await consume(kafkaTopic, ({ length }) => length >= 302)
    const [job] = status.jobs
    assert.deepEqual(
      [job?.['kind'], job?.['sent'], job?.['failed'], job?.['passedOver']],
      ['backfill', 300, 0, 0],
    )
    assert.deepEqual([status['messagesDelivered'], status['messagesQueued']], [301, 0])
    assert.deepEqual(
      records.map((record) => told(record).number),
      Array.from({ length: 302 }, (_, index) => index + 1),
    )
    const backfilled = records.filter(isBackfilled)
    assert.equal(new Set(backfilled.map((record) => told(record).focus)).size, 300)
    const changed = backfilled.find((record) => told(record).focus === 'Patient/p1')
    assert.equal(changed && told(changed).versionId, '2')
    const { entry } = JSON.parse(backfilled[0]?.value ?? '') as {
      entry: { request?: { method: string; url: string } }[]
    }
    const focus = backfilled[0] && told(backfilled[0]).focus
    assert.deepEqual(entry[1]?.request, { method: 'PUT', url: `/fhir/${focus}` })
    assert.equal(new Set(records.map(({ headers }) => headers['ce_id'])).size, 302)
  })

  it('asks the criteria for the current state, whatever interactions the trigger is on; one on deletes selects nothing', async (t) => {
    const topic = topicResource(
      'patients',
      {
        resource: 'Patient',
        supportedInteraction: ['update'],
        fhirPathCriteria: '%current.active = true',
      },
      { resource: 'Observation', supportedInteraction: ['delete'] },
    )
    const { first, kafkaTopic } = await filled(t, 20, topic)
    await first.host.operate('backfill', 'd')
    const status = await untilStatus(first, 'd', ({ jobs }) => jobs[0]?.['state'] === 'done')
    const [job] = status.jobs
    assert.deepEqual([job?.['sent'], job?.['passedOver']], [10, 10])
    const records = await consume(kafkaTopic, ({ length }) => length >= 10)
    for (const record of records) assert.match(record.value ?? '', /"active":true/)
  })

  it('says that a criteria asks for what a backfill does not have', async (t) => {
    const topic = topicResource('patients', {
      resource: 'Patient',
      fhirPathCriteria: '%previous.exists() and %current.active = true',
    })
    const { first } = await filled(t, 4, topic)
    const answer = await first.host.operate('backfill', 'd')
    assert.match(JSON.stringify(answer.parameter?.[1]), /asks for %previous, which is empty/)
    const status = await untilStatus(first, 'd', ({ jobs }) => jobs[0]?.['state'] === 'done')
    assert.deepEqual([status.jobs[0]?.['sent'], status.jobs[0]?.['passedOver']], [0, 4])
  })

  it('is refused while the topic selects nothing', async (t) => {
    const topic = topicResource('patients', { resource: 'Patient' })
    const { first } = await filled(t, 4, topic)
    await first.host.put({ ...topic, status: 'retired' })
    await assert.rejects(
      first.host.operate('backfill', 'd'),
      /\/topic\/patients is retired; nothing new is selected/,
    )
    await first.host.put(topic)
    await first.host.operate('backfill', 'd')
    const status = await untilStatus(first, 'd', ({ jobs }) => jobs[0]?.['state'] === 'done')
    assert.equal(status.jobs[0]?.['sent'], 4)
  })

  it('counts what nobody can decide, and says which', async (t) => {
    const topic = topicResource('patients', {
      resource: 'Patient',
      fhirPathCriteria: "%current.name.family > 'M' or %current.active = true",
    })
    const { first } = await filled(t, 4, topic)
    await first.host.put(patient('several', { name: [{ family: 'A' }, { family: 'Z' }] }))
    await first.host.operate('backfill', 'd')
    const status = await untilStatus(first, 'd', ({ jobs }) => jobs[0]?.['state'] === 'done')
    const [job] = status.jobs
    assert.deepEqual([job?.['sent'], job?.['failed']], [2, 1])
    assert.match(String(job?.['error']), /^Patient\/several: .*several items/)
  })

  it('never sends an older version after a newer one, while everything is being updated', async (t) => {
    const { first, kafkaTopic } = await filled(t, 60)
    const { host } = first
    const writing = { goesOn: true }
    const writers = Array.from({ length: 4 }, async (_writer, writer) => {
      let count = 0
      for (; writing.goesOn; count++) {
        const id = `p${(writer + 4 * count) % 60}`
        await host.put(
          patient(id, { birthDate: String(1000 + count), multipleBirthInteger: writer }),
        )
      }
      return count
    })
    await host.operate('backfill', 'd', [{ name: 'maxPerSecond', valueInteger: 100 }])
    const status = await untilStatus(first, 'd', ({ jobs }) => jobs[0]?.['state'] === 'done')
    writing.goesOn = false
    const counts = await Promise.all(writers)
    const { sent, passedOver } = status.jobs[0] as { sent: number; passedOver: number }
    assert.equal(sent + passedOver, 60)
    const total = sent + counts.reduce((sum, each) => sum + each, 0)
    const records = await consume(kafkaTopic, ({ length }) => length >= total)
    assert.equal(records.filter(isBackfilled).length, sent)
    assert.deepEqual(
      records.map((record) => told(record).number),
      Array.from({ length: total }, (_, index) => index + 1),
    )
    assertNeverBack(records.map(told))
  })

  for (const isFiring of [true, false]) {
    it(`never sends an older version after a newer one that waits behind it in the queue; the newest ${isFiring ? 'waits there, too' : 'was not selected as a change'}`, async (t) => {
      const changes = topicResource('patients', {
        resource: 'Patient',
        ...(!isFiring && {
          fhirPathCriteria: '%previous.exists().not() or %current.gender != %previous.gender',
        }),
      })
      const { first, kafkaTopic } = await filled(t, 0, changes, { maxPageEvents: 7 })
      const { host } = first
      const put = (more: object): Promise<void> =>
        host.put(destination('d', { kafkaTopic, bootstrapServers, more }))
      await put({ status: 'off' })
      const ids = Array.from({ length: 20 }, (_, n) => `p${n}`)
      for (let n = 0; n < 12; n++)
        await host.put(...ids.map((id) => patient(id, { gender: n % 2 === 0 ? 'male' : 'female' })))
      if (!isFiring)
        await host.put(...ids.map((id) => patient(id, { gender: 'female', active: true })))
      await host.operate('backfill', 'd')
      await put({ status: 'active' })
      const { jobs } = await untilStatus(
        first,
        'd',
        (now) => now.jobs[0]?.['state'] === 'done' && now['messagesQueued'] === 0,
      )
      const { sent, passedOver } = jobs[0] as { sent: number; passedOver: number }
      assert.equal(sent + passedOver, 20)
      if (!isFiring) assert.equal(sent, 20)
      const records = await consume(kafkaTopic, ({ length }) => length >= 240 + sent)
      assertNeverBack(records.map(told))
      const last = new Map(records.map((record) => [told(record).focus, told(record).versionId]))
      assert.deepEqual([...new Set(last.values())], [isFiring ? '12' : '13'])
    })
  }

  it('ends as failed when the destination goes to another topic', async (t) => {
    const { first, kafkaTopic } = await filled(t, 20)
    await first.host.put(topicResource('other', { resource: 'Observation' }))
    await first.host.operate('backfill', 'd', [{ name: 'maxPerSecond', valueInteger: 1 }])
    await first.host.put(destination('d', { kafkaTopic, bootstrapServers, topicId: 'other' }))
    const status = await untilStatus(first, 'd', ({ jobs }) => jobs[0]?.['state'] === 'failed')
    assert.match(String(status.jobs[0]?.['error']), /another topic/)
  })

  const kills = [
    { checkpoint: true, doubles: 0 },
    { checkpoint: false, doubles: 7 },
  ]
  for (const { checkpoint, doubles } of kills) {
    it(`whose leader is killed between commit and settlement goes on with the next one: ${doubles} come twice ${checkpoint ? 'with' : 'without'} checkpoints`, async (t) => {
      const { first, kafkaTopic, pool, add } = await filled(t, 100)
      const { host } = first
      await host.put(destination('d', { kafkaTopic, bootstrapServers, more: { status: 'off' } }))
      await host.operate('backfill', 'd')
      const connectionString = await handOver({ first, pool })
      const options = { maxPageEvents: 7, checkpoint }
      const strike = { at: 'passed_over = j.passed_over', when: 'before', skip: 5 } as const
      await untilDead(t, { connectionString, options, strike })
      startRelay(t, { connectionString, options })
      const records = await consume(kafkaTopic, ({ length }) => length >= 100 + doubles)
      assert.equal(new Set(records.map((record) => told(record).focus)).size, 100)
      assert.equal(records.length, 100 + doubles)
      const observer = await add()
      const status = await untilStatus(observer, 'd', ({ jobs }) => jobs[0]?.['state'] === 'done')
      assert.equal(status['messagesDelivered'], 100)
      assert.deepEqual(
        [...new Set(records.map((record) => told(record).number))],
        Array.from({ length: 100 }, (_, index) => index + 1),
      )
    })
  }
})
