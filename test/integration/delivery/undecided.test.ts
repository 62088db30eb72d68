import assert from 'node:assert/strict'
import { describe, it, type TestContext } from 'node:test'
import type { Pool } from 'pg'
import { newTopic, testKafka } from '../../helpers/kafka.ts'
import { recordingLogger, type LogLine } from '../../helpers/recording-logger.ts'
import { topicResource, type TestResource } from '../../helpers/topic-resources.ts'
import {
  destination,
  ofOrganization,
  patient,
  readTold,
  startNodes,
  statusOf,
  untilStatus,
  type DestinationOptions,
  type Node,
  type Nodes,
} from './nodes.ts'

const { bootstrapServers } = await testKafka()
const topicUrl = 'http://example.org/topic/patients'

/** Cannot be decided for a patient with two names. */
const fails = "name.family > 'M'"
const failsToo = "name.family >= 'M'"
const corrected = "name.family.where($this > 'M').exists()"

function topic(fhirPathCriteria: string, more: object = {}): TestResource {
  return topicResource('patients', { resource: 'Patient', fhirPathCriteria, ...more })
}

function named(id: string, ...families: readonly string[]): TestResource {
  return patient(id, { name: families.map((family) => ({ family })) })
}

/** Nodes with a destination whose topic has this criteria. */
async function nodesWith(
  t: TestContext,
  criteria: string,
  count = 1,
  options: Parameters<typeof startNodes>[2] = {},
  more: Partial<DestinationOptions> = {},
): Promise<Nodes & { kafkaTopic: string }> {
  const nodes = await startNodes(t, count, options)
  const kafkaTopic = await newTopic(bootstrapServers)
  await nodes.first.host.put(topic(criteria))
  await nodes.first.host.put(destination('d', { kafkaTopic, bootstrapServers, ...more }))
  return { ...nodes, kafkaTopic }
}

async function focusesOf(kafkaTopic: string, count: number): Promise<string[]> {
  const events = await readTold(bootstrapServers, kafkaTopic, ({ length }) => length >= count)
  return events.map(({ focus }) => focus)
}

async function parkedCount(pool: Pool): Promise<number> {
  const { rows } = await pool.query('select from topic_destination.undecided_event')
  return rows.length
}

describe('undecided events', () => {
  it('are decided again when their topic is corrected: a thousand of them, each once, by one of two nodes', async (t) => {
    const { all, first, pool, kafkaTopic } = await nodesWith(t, fails, 2)
    const ids = Array.from({ length: 1000 }, (_, index) => `p${index}`)
    await first.host.transaction(async (writes) => {
      for (const [index, id] of ids.entries()) {
        await writes.put(named(id, 'A', index % 2 === 0 ? 'Z' : 'B'))
      }
    })
    const parked = await untilStatus(first, 'd', (now) => now['messagesUndecided'] === 1000)
    assert.equal(parked['messagesQueued'], 0)
    assert.match(parked.errors[0] ?? '', /There are several items where one is expected/)
    await first.host.put(topic(corrected))
    for (const node of all) {
      const status = await untilStatus(node, 'd', (now) => now['messagesDelivered'] === 500)
      assert.equal(status['messagesUndecided'], 0)
      assert.equal(status['messagesNotFired'], 500)
      assert.deepEqual(status.errors, [])
    }
    assert.equal(await parkedCount(pool), 0)
    assert.deepEqual(
      await focusesOf(kafkaTopic, 500),
      ids.filter((_id, index) => index % 2 === 0).map((id) => `Patient/${id}`),
    )
  })

  it('keep the change as it was: the version before it, its own version and its time, though the resource has gone since', async (t) => {
    const { first, pool, kafkaTopic } = await nodesWith(t, fails)
    const { host } = first
    await host.put(named('p', 'Old'))
    await host.put(named('p', 'A', 'B'))
    await host.put(named('other', 'A', 'B'))
    await untilStatus(first, 'd', (now) => now['messagesUndecided'] === 2)
    const { rows } = await pool.query(
      `select at from topic_destination.undecided_event where resource_id = 'p'`,
    )
    await host.delete('Patient/p')
    await host.put(topic("%previous.name.family = 'Old'"))
    await untilStatus(first, 'd', (now) => now['messagesUndecided'] === 0)
    const [event, ...others] = await readTold(bootstrapServers, kafkaTopic, (all) =>
      all.some(({ versionId }) => versionId === '2'),
    )
    assert.deepEqual(
      others.map(({ focus, versionId }) => [focus, versionId]),
      [['Patient/p', '2']],
    )
    // `Old` alone could be decided.
    assert.deepEqual([event?.focus, event?.versionId], ['Patient/p', '1'])
    const log = await pool.query(
      `select at from topic_destination.event where resource_id = 'p' and version_id = '2'`,
    )
    assert.deepEqual(log.rows, rows)
  })

  it('that a failed read left undecided are decided by themselves as soon as it can be read', async (t) => {
    const criteria = 'generalPractitioner.resolve().active = true'
    const { first, kafkaTopic } = await nodesWith(t, criteria)
    const { host } = first
    await host.put({ resourceType: 'Practitioner', id: 'd1', active: true })
    await host.put({ resourceType: 'Practitioner', id: 'd2', active: false })
    const read = host.read.bind(host)
    let isBroken = true
    host.read = async (references, tx) => {
      const asks = references.some((reference) => reference.startsWith('Practitioner/'))
      if (asks && isBroken) throw new Error('no connection')
      return read(references, tx)
    }
    for (const practitioner of ['d1', 'd2']) {
      const reference = `Practitioner/${practitioner}`
      await host.put(patient(`of-${practitioner}`, { generalPractitioner: [{ reference }] }))
    }
    await untilStatus(first, 'd', (now) => now['messagesUndecided'] === 2)
    // At least one more attempt fails; what it says is kept.
    for (let attempts = 1; attempts < 2;) {
      const [event] = await first.module.undecided.list()
      assert.equal(event?.error, 'The references could not be read (Error).')
      assert.ok(event.nextAttemptAt)
      ;({ attempts } = event)
    }
    isBroken = false
    const status = await untilStatus(first, 'd', (now) => now['messagesUndecided'] === 0)
    assert.equal(status['messagesNotFired'], 1)
    assert.deepEqual(await focusesOf(kafkaTopic, 1), ['Patient/of-d1'])
  })

  it('whose organization could not be looked up are decided when it can, for those who want them', async (t) => {
    const { first } = await startNodes(t)
    const { host } = first
    for (const id of ['a', 'b']) await host.put({ resourceType: 'Organization', id })
    await host.put(topicResource('patients', { resource: 'Patient' }))
    const kafkaTopics = new Map<string, string>()
    for (const id of ['a', 'b']) {
      const kafkaTopic = await newTopic(bootstrapServers)
      kafkaTopics.set(id, kafkaTopic)
      await host.put(ofOrganization(id, destination(id, { kafkaTopic, bootstrapServers })))
    }
    const read = host.read.bind(host)
    let isBroken = true
    host.read = async (references, tx) => {
      const asks = references.some((reference) => reference.startsWith('Organization/'))
      if (asks && isBroken) throw new Error('no connection')
      return read(references, tx)
    }
    await host.put(ofOrganization('a', patient('p')))
    for (const id of ['a', 'b']) {
      await untilStatus(first, id, (now) => now['messagesUndecided'] === 1)
    }
    isBroken = false
    await untilStatus(first, 'a', (now) => now['messagesDelivered'] === 1)
    const status = await untilStatus(first, 'b', (now) => now['messagesUndecided'] === 0)
    assert.equal(status['messagesNotFired'], 1)
    assert.equal(status['messagesDelivered'], 0)
    assert.deepEqual(await focusesOf(kafkaTopics.get('a') ?? '', 1), ['Patient/p'])
  })

  it('stay with their new error while the corrected topic cannot decide them either, and as long as it is not active', async (t) => {
    const { first } = await nodesWith(t, fails)
    const { host, module } = first
    await host.put(named('p', 'A', 'Z'))
    await untilStatus(first, 'd', (now) => now['messagesUndecided'] === 1)
    await host.put({ ...topic(failsToo), status: 'retired' })
    assert.deepEqual(await module.undecided.decide('all'), { fired: 0, notFired: 0, undecided: 1 })
    const [waiting] = await module.undecided.list()
    assert.equal(waiting?.attempts, 1)
    await host.put(topic(failsToo))
    await untilStatus(first, 'd', ({ errors }) => errors[0]?.includes('column 16') === true)
    const [event] = await module.undecided.list()
    assert.equal(event?.attempts, 2)
    assert.equal(event.nextAttemptAt, undefined)
  })
})

describe('module.undecided', () => {
  it('lists without content; releases, discards and decides by topic, by ids, or all', async (t) => {
    const { first, kafkaTopic } = await nodesWith(t, fails)
    const { host, module } = first
    const { undecided } = module
    for (const id of ['a', 'b', 'c', 'd', 'e', 'f']) await host.put(named(id, 'Secret', 'Z'))
    const events = await undecided.list()
    assert.deepEqual(
      events.map(({ resourceId, topicUrl: url, interaction, versionId }) => [
        resourceId,
        url,
        interaction,
        versionId,
      ]),
      ['a', 'b', 'c', 'd', 'e', 'f'].map((id) => [id, topicUrl, 'create', '1']),
    )
    assert.doesNotMatch(JSON.stringify(events), /Secret/)
    const [a, b, c, d] = events.map(({ id }) => id) as [string, string, string, string]
    const rest = await undecided.list({ afterId: b, limit: 2, selection: { topicUrl } })
    assert.deepEqual(
      rest.map(({ id }) => id),
      [c, d],
    )

    assert.deepEqual(await undecided.release({ ids: [b, b, '4711', 'x', '9'.repeat(30)] }), {
      released: 1,
    })
    assert.deepEqual(await undecided.discard({ ids: [a] }), { discarded: 1 })
    assert.deepEqual(await undecided.discard({ topicUrl: 'http://example.org/other' }), {
      discarded: 0,
    })
    assert.deepEqual(await undecided.decide({ ids: [c] }), { fired: 0, notFired: 0, undecided: 1 })
    const [again] = await undecided.list({ selection: { ids: [c] } })
    assert.equal(again?.attempts, 2)
    assert.deepEqual(await undecided.release({ topicUrl }), { released: 4 })
    assert.deepEqual(await undecided.release('all'), { released: 0 })
    assert.deepEqual(
      await focusesOf(kafkaTopic, 5),
      ['b', 'c', 'd', 'e', 'f'].map((id) => `Patient/${id}`),
    )
    const status = await untilStatus(first, 'd', (now) => now['messagesDelivered'] === 5)
    assert.equal(status['messagesUndecided'], 0)
    assert.equal(status['messagesDiscarded'], 1)
  })

  it('moves each event once, whoever does it on whatever node at the same time', async (t) => {
    const { all, first, kafkaTopic } = await nodesWith(t, fails, 2)
    const [{ module: one }, { module: two }] = all as [typeof first, typeof first]
    const ids = Array.from({ length: 1200 }, (_, index) => `p${index}`)
    await first.host.transaction(async (writes) => {
      for (const id of ids) await writes.put(named(id, 'A', 'Z'))
    })
    const answers = await Promise.all([
      one.undecided.release('all'),
      two.undecided.release({ topicUrl }),
      one.undecided.decide('all').then(() => ({ released: 0 })),
      two.undecided.release('all'),
    ])
    assert.equal(
      answers.reduce((sum, { released }) => sum + released, 0),
      1200,
    )
    await untilStatus(first, 'd', (now) => now['messagesDelivered'] === 1200)
    const focuses = await focusesOf(kafkaTopic, 1200)
    assert.deepEqual(focuses.toSorted(), ids.map((id) => `Patient/${id}`).toSorted())
  })

  it('keeps what nobody would get: the destination has gone to another topic', async (t) => {
    const { first, kafkaTopic } = await nodesWith(t, fails)
    const { host, module } = first
    await host.put(topicResource('others', { resource: 'Observation' }))
    await host.put(named('p', 'A', 'Z'))
    await host.put(destination('d', { kafkaTopic, bootstrapServers, topicId: 'others' }))
    assert.deepEqual(await module.undecided.release('all'), { released: 0 })
    assert.deepEqual(await module.undecided.decide('all'), { fired: 0, notFired: 0, undecided: 1 })
    assert.equal((await statusOf(first, 'd'))?.['messagesUndecided'], 1)
    await host.put(destination('d', { kafkaTopic, bootstrapServers }))
    assert.deepEqual(await module.undecided.release('all'), { released: 1 })
    assert.deepEqual(await focusesOf(kafkaTopic, 1), ['Patient/p'])
  })
})

describe('more undecided events than maxUndecidedPerTopic', () => {
  it('are counted exactly and told loudly, until there is room again', async (t) => {
    const lines: LogLine[] = []
    const options = { maxUndecidedPerTopic: 5, logger: recordingLogger(lines) }
    const { first, pool } = await nodesWith(t, fails, 1, options)
    const { host, module } = first
    const ids = Array.from({ length: 8 }, (_, index) => `p${index}`)
    await host.transaction(async (writes) => {
      for (const id of ids) await writes.put(named(id, 'A', 'Z'))
    })
    await assert.rejects(
      host.transaction(async (writes) => {
        await writes.put(named('q', 'A', 'Z'))
        throw new Error('rolled back')
      }),
    )
    for (let n = 0; n < 4; n++) await host.put(named(`q${n}`, 'A', 'Z'))
    const status = await untilStatus(first, 'd', (now) => now['messagesNotKept'] === 7)
    assert.equal(status['messagesUndecided'], 5)
    assert.ok(
      status.errors.includes('Too many events are undecided; further ones are only counted.'),
    )
    const told = (text: string): readonly LogLine[] =>
      lines.filter(({ message }) => message.includes(text))
    const [opened, ...more] = told('from now on they are only counted')
    assert.deepEqual(more, [])
    assert.deepEqual([opened?.level, opened?.fields['topic']], ['error', topicUrl])
    const [warned, ...again] = told('are not kept, because')
    assert.deepEqual(again, [], 'once a minute')
    assert.deepEqual([warned?.level, warned?.fields['topic']], ['warn', topicUrl])
    assert.equal(told('are kept undecided').length, 1)

    await module.undecided.discard('all')
    for (;;) {
      if (told('are kept again').length > 0) break
      await untilStatus(first, 'd', () => true)
    }
    const [closed] = told('are kept again')
    assert.deepEqual(closed?.fields['openSince'], opened?.fields['openSince'])
    await host.put(named('r', 'A', 'Z'))
    assert.equal(await parkedCount(pool), 1)
    const end = await untilStatus(first, 'd', (now) => now['messagesUndecided'] === 1)
    assert.deepEqual([end['messagesNotKept'], end['messagesDiscarded']], [7, 5])
    // Added up: nothing is left to add.
    for (;;) {
      const { rows } = await pool.query('select from topic_destination.undecided_overflow')
      if (rows.length === 0) break
    }
    assert.equal((await statusOf(first, 'd'))?.['messagesNotKept'], 7)
  })
})

describe('a stored topic that is invalid', () => {
  /** Past every check, as an older version may have left it. */
  async function breakTopic(pool: Pool): Promise<void> {
    await pool.query(
      `update resource set body = jsonb_set(body, '{trigger,0,fhirPathCriteria}', '"name.family ~~ 1"')
        where reference = 'AidboxSubscriptionTopic/patients'`,
    )
  }

  for (const kind of ['kafka-at-least-once', 'kafka-best-effort'] as const) {
    it(`stops nothing, says so in $status, and its events wait for the correction, ${kind}`, async (t) => {
      const lines: LogLine[] = []
      const options = { logger: recordingLogger(lines) }
      const { first, pool, kafkaTopic, add } = await nodesWith(t, fails, 1, options, { kind })
      await first.host.put(topicResource('others', { resource: 'Observation' }))
      const others = await newTopic(bootstrapServers)
      await first.host.put(
        destination('o', { kafkaTopic: others, bootstrapServers, topicId: 'others' }),
      )
      await first.module.stop()
      await breakTopic(pool)
      const node = await add()
      const status = await untilStatus(node, 'd', () => true)
      assert.equal(status['status'], 'error')
      assert.match(
        String(status['statusReason']),
        /^The topic \S+ is invalid: trigger\[0\]: This is not FHIRPath: .*\(line 1, column \d+\)$/,
      )
      assert.equal((await statusOf(node, 'o'))?.['status'], 'active')
      const told = lines.filter(({ message }) => message === 'a stored topic is invalid')
      assert.deepEqual(
        told.map(({ level, fields }) => [level, fields['topic']]),
        [['error', topicUrl]],
      )
      await node.host.put(named('p', 'Z'), named('q', 'A'))
      await node.host.put({ resourceType: 'Observation', id: 'o1' })
      assert.deepEqual(await focusesOf(others, 1), ['Observation/o1'])
      await untilStatus(node, 'd', (now) => now['messagesUndecided'] === 2)
      await node.host.put(topic(corrected))
      if (kind === 'kafka-best-effort') {
        const after = await statusOf(node, 'd')
        assert.deepEqual([after?.['status'], after?.['messagesLost']], ['active', 2])
        return
      }
      const after = await untilStatus(node, 'd', (now) => now['messagesDelivered'] === 1)
      assert.deepEqual([after['status'], after['messagesNotFired']], ['active', 1])
      assert.deepEqual(await focusesOf(kafkaTopic, 1), ['Patient/p'])
    })
  }
})

describe('best effort', () => {
  it('drops what cannot be decided: counted, with the reason in $status, one line in the log a minute', async (t) => {
    const lines: LogLine[] = []
    const options = { logger: recordingLogger(lines) }
    const { all, kafkaTopic } = await nodesWith(t, fails, 2, options, { kind: 'kafka-best-effort' })
    for (const { host } of all) {
      for (const id of ['a', 'b', 'c']) await host.put(named(id, 'A', 'Z', String(Math.random())))
    }
    await all[0]?.host.put(named('sent', 'Z'))
    for (const node of all) {
      const status = await untilStatus(node, 'd', (now) => now['messagesUndecided'] === 6)
      assert.equal(status['messagesLost'], 6)
      assert.match(status.errors[0] ?? '', /There are several items where one is expected/)
    }
    assert.deepEqual(await focusesOf(kafkaTopic, 1), ['Patient/sent'])
    const told = lines.filter(({ message }) => message.includes('best effort drops its events'))
    assert.deepEqual(
      told.map(({ level, fields }) => [level, fields['topic']]),
      all.map(() => ['warn', topicUrl]),
    )
  })
})

describe('usesPrevious', () => {
  /** A node whose view is older than its lease says yes, which a busy machine can make of it at any time. */
  async function usesPrevious(node: Node, resourceType: string): Promise<boolean> {
    for (let attempt = 0; attempt < 10; attempt++) {
      // Reads the view anew where it is too old.
      await statusOf(node, 'd')
      if (!node.host.usesPrevious(resourceType)) return false
    }
    return true
  }

  it('says where the version before a change need not be read, as topics come, change and go', async (t) => {
    const { first } = await startNodes(t)
    const { host } = first
    const kafkaTopic = await newTopic(bootstrapServers)
    await host.put(topic('active = true'))
    assert.equal(await usesPrevious(first, 'Patient'), false)
    await host.put(topic('%previous.active != active'))
    assert.equal(await usesPrevious(first, 'Patient'), false, 'nobody listens')
    await host.put(destination('d', { kafkaTopic, bootstrapServers }))
    assert.equal(await usesPrevious(first, 'Patient'), true)
    assert.equal(await usesPrevious(first, 'Observation'), false)
    assert.equal(await usesPrevious(first, 'AidboxSubscriptionTopic'), true)
    await host.put(topic('%current.active = true', { supportedInteraction: ['create', 'delete'] }))
    assert.equal(await usesPrevious(first, 'Patient'), false)
    await host.put(ofOrganization('a', destination('e', { kafkaTopic, bootstrapServers })))
    assert.equal(await usesPrevious(first, 'Patient'), true, 'the organization of what is deleted')
    await host.delete('AidboxTopicDestination/e')
    assert.equal(await usesPrevious(first, 'Patient'), false)
    await host.put(
      topicResource('patients', { resource: 'Resource', fhirPathCriteria: '%previous.exists()' }),
    )
    assert.equal(await usesPrevious(first, 'Observation'), true)
  })

  it('spares a host the version before; a criteria that came since and needs it leaves the event undecided, and an operator decides', async (t) => {
    const { first, pool, kafkaTopic } = await nodesWith(t, fails)
    const { host, module } = first
    host.sparesPrevious = true
    await host.put(named('p', 'A'))
    // Where the view of the node is too old at that moment, nothing is spared.
    for (let n = 0, isSpared = false; !isSpared; n++) {
      await module.undecided.discard('all')
      await host.put(named('p', 'A', `Z${n}`))
      const { rows } = await pool.query<{ previous: string | null }>(
        'select previous from topic_destination.undecided_event',
      )
      isSpared = rows.length === 1 && rows[0]?.previous === null
    }
    const [spared] = await module.undecided.list()
    const version = Number(spared?.versionId)
    await host.put(topic("%previous.name.family = 'A'"))
    await untilStatus(
      first,
      'd',
      ({ errors }) => errors[0]?.includes('which is not known') === true,
    )
    // From now on it is handed over.
    await host.put(named('p', 'A'))
    await host.put(named('p', 'B'))
    await untilStatus(first, 'd', (now) => now['messagesDelivered'] === 1)
    await module.undecided.release('all')
    const events = await readTold(bootstrapServers, kafkaTopic, ({ length }) => length >= 2)
    assert.deepEqual(
      events.map(({ versionId }) => Number(versionId)),
      [version + 2, version],
    )
  })
})
