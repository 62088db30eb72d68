import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { newTopic, testKafka } from '../../helpers/kafka.ts'
import { topicResource } from '../../helpers/topic-resources.ts'
import {
  destination,
  lines,
  patient,
  patientsTopic,
  readTold,
  startNodes,
  statusOf,
  untilStatus,
  type Node,
  type Told,
} from './nodes.ts'

const { bootstrapServers } = await testKafka()

/** Selects the same writes, so that each is an event of whichever topic the destination has at that moment. */
const alsoPatients = topicResource('also-patients', { resource: 'Patient' })
const groups = topicResource('groups', { resource: 'Group' })

describe('a destination that is changed while others write', () => {
  for (const kind of ['kafka-at-least-once', 'kafka-best-effort'] as const) {
    it(`gets every write once, ${kind}`, async (t) => {
      const { all } = await startNodes(t, 2)
      const [a, b] = all as [Node, Node]
      const kafkaTopic = await newTopic(bootstrapServers)
      const options = { kind, kafkaTopic, bootstrapServers }
      await a.host.put(patientsTopic, alsoPatients)
      await a.host.put(destination('d', options))
      // Events of both topics are written all the time.
      const ofOthers = await newTopic(bootstrapServers)
      for (const topicId of ['patients', 'also-patients']) {
        await a.host.put(
          destination(`on-${topicId}`, { ...options, topicId, kafkaTopic: ofOthers }),
        )
      }
      let written = 0
      const over = new AbortController()
      const write = async ({ host }: Node, id: string): Promise<void> => {
        while (!over.signal.aborted) {
          await host.put(patient(id, { multipleBirthInteger: written }))
          written++
        }
      }
      const writers = [write(a, 'x'), write(b, 'y')]
      const changes = [
        { ...options, topicId: 'also-patients' },
        { ...options, topicId: 'also-patients', more: { content: 'id-only' } },
        { ...options, more: { content: 'full-resource' } },
        { ...options, parameters: { requestTimeoutMs: 5000 } },
        { ...options, topicId: 'also-patients', parameters: { requestTimeoutMs: 6000 } },
      ]
      for (const [index, change] of changes.entries()) {
        const node = index % 2 === 0 ? a : b
        await node.host.put(destination('d', change))
        const delivered = Number((await statusOf(node, 'd'))?.['messagesDelivered'])
        await untilStatus(node, 'd', (now) => Number(now['messagesDelivered']) > delivered)
      }
      over.abort()
      await Promise.all(writers)
      await untilStatus(a, 'd', (now) => now['messagesDelivered'] === written)
      const events = await readTold(bootstrapServers, kafkaTopic, ({ length }) => length >= written)
      assert.equal(events.length, written)
      if (kind === 'kafka-best-effort') return
      assert.deepEqual(
        events.map(({ number }) => number),
        Array.from({ length: written }, (_, index) => index + 1),
      )
      for (const focus of ['Patient/x', 'Patient/y']) assertInOrder(events, focus)
    })
  }

  function assertInOrder(events: readonly Told[], focus: string): void {
    const versions = events
      .filter((event) => event.focus === focus)
      .map(({ versionId }) => Number(versionId))
      .filter((version) => !Number.isNaN(version))
    assert.deepEqual(
      versions,
      versions.toSorted((left, right) => left - right),
    )
  }

  it('keeps the queue of the topic it leaves, and gets nothing of it that is written after the answer', async (t) => {
    const { all } = await startNodes(t, 2)
    const [a, b] = all as [Node, Node]
    const kafkaTopic = await newTopic(bootstrapServers)
    const options = { kafkaTopic, bootstrapServers }
    await a.host.put(patientsTopic, groups)
    await a.host.put(destination('other', options), destination('d', options))
    const paused = { ...options, more: { status: 'off' } }
    await a.host.put(destination('other', paused), destination('d', paused))
    await a.host.put(patient('queued'))
    await b.host.put(destination('d', { ...paused, topicId: 'groups' }))
    await a.host.put(patient('after the answer'.replaceAll(' ', '-')))
    await b.host.put({ resourceType: 'Group', id: 'wanted' })
    assert.equal((await statusOf(a, 'd'))?.['messagesQueued'], 2)
    await a.host.put(destination('d', { ...options, topicId: 'groups' }))
    const events = await readTold(bootstrapServers, kafkaTopic, ({ length }) => length >= 2)
    assert.deepEqual(lines(events), ['1 Patient/queued', '2 Group/wanted'])
  })

  it('keeps its kind', async (t) => {
    const { first } = await startNodes(t)
    const options = { kafkaTopic: 'never-used', bootstrapServers }
    await first.host.put(patientsTopic)
    await first.host.put(destination('d', options))
    await assert.rejects(
      first.host.put(destination('d', { ...options, kind: 'kafka-best-effort' })),
      /Write kafka-at-least-once; the events that wait for this destination would be lost/,
    )
    await first.host.transaction(async (writes) => {
      await writes.delete('AidboxTopicDestination/d')
      await writes.put(destination('d', { ...options, kind: 'kafka-best-effort' }))
    })
    assert.equal((await statusOf(first, 'd'))?.['messagesLost'], 0)
  })

  it('gets a write once that was matched while the destination went to another topic', async (t) => {
    const { first } = await startNodes(t)
    const { host } = first
    const kafkaTopic = await newTopic(bootstrapServers)
    const ofOthers = await newTopic(bootstrapServers)
    const patientsAndBasics = topicResource(
      'also-patients',
      { resource: 'Patient' },
      { resource: 'Basic' },
    )
    const resolving = topicResource('resolving', {
      resource: 'Encounter',
      fhirPathCriteria: 'subject.resolve().active = true',
    })
    await host.put(patientsTopic, patientsAndBasics, resolving)
    await host.put(destination('d', { kafkaTopic, bootstrapServers }))
    await host.put(
      destination('other', { topicId: 'resolving', kafkaTopic: ofOthers, bootstrapServers }),
    )
    await host.put(patient('subject'))
    // The read for the encounter stands, after the patient of the same write has been matched.
    let isReading = (): void => undefined
    const reading = new Promise<void>((resolve) => (isReading = resolve))
    let goOn = (): void => undefined
    const mayGoOn = new Promise<void>((resolve) => (goOn = resolve))
    const read = host.read.bind(host)
    host.read = async (references, tx) => {
      if (references.includes('Patient/subject')) {
        isReading()
        await mayGoOn
      }
      return read(references, tx)
    }
    const encounter = {
      resourceType: 'Encounter',
      id: 'e',
      subject: { reference: 'Patient/subject' },
    }
    const writing = host.put(patient('a'), encounter)
    await reading
    const moving = host.put(
      destination('d', { topicId: 'also-patients', kafkaTopic, bootstrapServers }),
    )
    // Only the other topic selects it: the node knows of the move when it comes.
    const untilMoved = async (): Promise<void> => {
      for (let n = 0; ; n++) {
        await host.put({ resourceType: 'Basic', id: `b${n}` })
        if (Number((await statusOf(first, 'd'))?.['messagesQueued']) > 0) return
        const delivered = Number((await statusOf(first, 'd'))?.['messagesDelivered'])
        if (delivered > 1) return
      }
    }
    await untilMoved()
    goOn()
    await Promise.all([writing, moving])
    await host.put(patient('last'))
    const events = await readTold(bootstrapServers, kafkaTopic, (all) =>
      all.some(({ focus }) => focus === 'Patient/last'),
    )
    const ofPatients = events.map(({ focus }) => focus).filter((focus) => focus.startsWith('Pat'))
    assert.deepEqual(ofPatients, ['Patient/subject', 'Patient/a', 'Patient/last'])
  })
})
