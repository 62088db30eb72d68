import assert from 'node:assert/strict'
import { describe, it, type TestContext } from 'node:test'
import type { ModuleOptions } from '../../../src/options.ts'
import { consumeRecords, newTopic, testKafka } from '../../helpers/kafka.ts'
import { recordingLogger, type LogLine } from '../../helpers/recording-logger.ts'
import { all, asLive, deliveryOf } from './job-records.ts'
import {
  destination,
  ofOrganization,
  patient,
  patientsTopic,
  startNodes,
  statusOf,
  told,
  untilStatus,
  type Nodes,
} from './nodes.ts'
import { eventually } from '../postgres/outbox-fixture.ts'
import { handOver, startRelay, untilDead } from './relays.ts'

const { bootstrapServers } = await testKafka()

const large = (id: string): ReturnType<typeof patient> => patient(id, { text: 'x'.repeat(9000) })

interface Stuck {
  readonly nodes: Nodes
  readonly kafkaTopic: string
  /** The destination, able to take large records or not. */
  readonly put: (maxRequestSize: number) => Promise<void>
}

/** Events 2 and 4 of five are dead. */
async function withDeadLetters(
  t: TestContext,
  options: Partial<ModuleOptions> = {},
): Promise<Stuck> {
  const nodes = await startNodes(t, 1, options)
  const kafkaTopic = await newTopic(bootstrapServers)
  const { host } = nodes.first
  const put = (maxRequestSize: number): Promise<void> =>
    host.put(
      destination('d', {
        kafkaTopic,
        bootstrapServers,
        parameters: { maxRequestSize },
      }),
    )
  await host.put(patientsTopic)
  await put(5000)
  await host.put(patient('a'), large('b'), patient('c'), large('d'), patient('e'))
  await untilStatus(
    nodes.first,
    'd',
    (now) => now['messagesDelivered'] === 3 && now['messagesDead'] === 2,
  )
  return { nodes, kafkaTopic, put }
}

describe('$redrive of dead letters', () => {
  it('delivers after a fix what a consumer would have got, under the original number, marked', async (t) => {
    const { nodes, kafkaTopic, put } = await withDeadLetters(t)
    const { host } = nodes.first
    await put(1_000_000)
    const answer = await host.operate('redrive', 'd', [all])
    assert.deepEqual(answer.parameter?.[0], { name: 'deadLetters', valueDecimal: 2 })
    const status = await untilStatus(nodes.first, 'd', ({ jobs }) => jobs[0]?.['state'] === 'done')
    assert.deepEqual(
      [status['messagesDelivered'], status['messagesDead'], status['messagesQueued']],
      [5, 0, 0],
    )
    const [job] = status.jobs
    assert.deepEqual(
      [job?.['kind'], job?.['total'], job?.['sent'], job?.['failed']],
      ['redrive', 2, 2, 0],
    )
    const records = await consumeRecords(bootstrapServers, kafkaTopic, 5)
    assert.deepEqual(
      records.map((record) => told(record).number),
      [1, 3, 5, 2, 4],
    )
    const { rows } = await nodes.pool.query<{ id: string }>(
      `select event_no from topic_destination.dead_letter`,
    )
    assert.deepEqual(rows, [])

    // The same write to a destination that could take it from the start gives the same record.
    const [, , , redriven] = records
    assert.ok(redriven)
    assert.equal(deliveryOf(redriven), 'redrive')
    assert.equal(redriven.headers['x-topic-delivery-job'], String(job?.['id']))
    const { headers } = asLive(redriven)
    assert.deepEqual(Object.keys(headers).toSorted(), [
      'ce_id',
      'ce_source',
      'ce_specversion',
      'ce_subject',
      'ce_time',
      'ce_type',
      'content-type',
    ])
    assert.equal(headers['ce_subject'], 'Patient/b')
    assert.match(headers['ce_id'] ?? '', /^AidboxTopicDestination\/d\/\d+$/)
    assert.equal(redriven.key, 'b')
  })

  it('takes those of a range of numbers or of an error only; others stay', async (t) => {
    const { nodes, put } = await withDeadLetters(t)
    const { host } = nodes.first
    await put(1_000_000)
    await host.operate('redrive', 'd', [{ name: 'error', valueString: 'no such error' }])
    assert.equal((await statusOf(nodes.first, 'd'))?.['messagesDead'], 2)
    await host.operate('redrive', 'd', [{ name: 'fromEvent', valueInteger: 3 }])
    await untilStatus(nodes.first, 'd', (now) => now['messagesDead'] === 1)
    await untilStatus(nodes.first, 'd', ({ jobs }) => jobs[0]?.['state'] === 'done')
    const { rows } = await nodes.pool.query(
      `select event_no::int, resource_id from topic_destination.dead_letter`,
    )
    assert.deepEqual(rows, [{ event_no: 2, resource_id: 'b' }])
  })

  it('keeps what Kafka refuses again, with its error, and goes on at once', async (t) => {
    const lines: LogLine[] = []
    const { nodes, kafkaTopic, put } = await withDeadLetters(t, { logger: recordingLogger(lines) })
    const { host } = nodes.first
    await nodes.pool.query(
      `update topic_destination.dead_letter set body = '{"resourceType":"Patient","id":"d"}' where event_no = 4`,
    )
    await put(5001)
    await host.operate('redrive', 'd', [all])
    const status = await untilStatus(nodes.first, 'd', ({ jobs }) => jobs[0]?.['state'] === 'done')
    const [job] = status.jobs
    assert.deepEqual([job?.['sent'], job?.['failed']], [1, 1])
    assert.match(String(job?.['error']), /too large/)
    assert.equal(status['messagesDead'], 1)
    // Live events would wait for a back-off, too.
    assert.deepEqual(
      lines.filter(({ message }) => message.startsWith('Kafka does not take')),
      [],
    )
    const [ended] = lines.filter(({ message }) => message === 'a job has ended')
    assert.equal(ended?.fields['destination'], 'AidboxTopicDestination/d')
    const records = await consumeRecords(bootstrapServers, kafkaTopic, 4)
    assert.deepEqual(
      records.map((record) => told(record).number),
      [1, 3, 5, 4],
    )
  })

  it('sends nothing of other organizations than the one that the destination is limited to by now', async (t) => {
    const { nodes, kafkaTopic } = await withDeadLetters(t)
    const { host } = nodes.first
    await host.put({ resourceType: 'Organization', id: 'a' })
    await host.put(ofOrganization('a', destination('d', { kafkaTopic, bootstrapServers })))
    const answer = await host.operate('redrive', 'd', [all])
    assert.deepEqual(answer.parameter?.[0], { name: 'deadLetters', valueDecimal: 0 })
    assert.equal((await statusOf(nodes.first, 'd'))?.['messagesDead'], 2)
    const discarded = await host.operate('discard', 'd', [all])
    assert.deepEqual(discarded.parameter?.[0], { name: 'deadLetters', valueDecimal: 2 })
  })

  it('waits for the end of nodes with an older version, which could not tell its pages from events of the log', async (t) => {
    const { nodes, kafkaTopic, put } = await withDeadLetters(t)
    const { host } = nodes.first
    await put(1_000_000)
    // As the version before writes itself down.
    await nodes.pool.query(
      `insert into topic_destination.node (name, lease_until) values ('old:1', now() + interval '1 hour')`,
    )
    await host.operate('redrive', 'd', [all])
    const waiting = await untilStatus(
      nodes.first,
      'd',
      ({ jobs }) => jobs[0]?.['error'] !== undefined,
    )
    assert.deepEqual(
      [waiting.jobs[0]?.['error'], waiting.jobs[0]?.['state'], waiting.jobs[0]?.['sent']],
      ['Waits for the end of nodes with an older version of this module: old:1.', 'running', 0],
    )
    // Live events do not wait, and what they pass stays where it is.
    await host.put(patient('live'))
    const live = await consumeRecords(bootstrapServers, kafkaTopic, 4)
    assert.deepEqual(
      live.map((record) => told(record).number),
      [1, 3, 5, 6],
    )
    await nodes.pool.query(`delete from topic_destination.node where name = 'old:1'`)
    const status = await untilStatus(nodes.first, 'd', ({ jobs }) => jobs[0]?.['state'] === 'done')
    assert.deepEqual([status.jobs[0]?.['sent'], status.jobs[0]?.['error']], [2, undefined])
  })

  it('a leader that is killed between commit and settlement sends nothing twice', async (t) => {
    const { nodes, kafkaTopic, put } = await withDeadLetters(t)
    const { host } = nodes.first
    await put(1_000_000)
    await host.put(destination('d', { kafkaTopic, bootstrapServers, more: { status: 'off' } }))
    await host.operate('redrive', 'd', [all, { name: 'maxPerSecond', valueInteger: 20 }])
    const connectionString = await handOver(nodes)
    const strike = { at: 'dead = dead -', when: 'before', skip: 0 } as const
    await untilDead(t, { connectionString, strike })
    startRelay(t, { connectionString })
    const records = await consumeRecords(bootstrapServers, kafkaTopic, 5)
    const observer = await nodes.add()
    const status = await untilStatus(observer, 'd', (now) => now['messagesDead'] === 0)
    assert.equal(status['messagesDelivered'], 5)
    await observer.host.put(patient('after'))
    const more = await consumeRecords(bootstrapServers, kafkaTopic, 6)
    assert.deepEqual(
      more.map((record) => told(record).number),
      [1, 3, 5, 2, 4, 6],
    )
    assert.equal(records.length, 5)
  })
})

describe('$dead-letters', () => {
  interface Page {
    readonly events: readonly Readonly<Record<string, unknown>>[]
    readonly next: string | undefined
  }

  async function listed(nodes: Nodes, ...parameter: object[]): Promise<Page> {
    const answer = await nodes.first.host.operate('dead-letters', 'd', parameter as never)
    const parameters = answer.parameter ?? []
    return {
      events: parameters
        .filter(({ name }) => name === 'event')
        .map(({ part = [] }) =>
          Object.fromEntries(part.map(({ name, ...value }) => [name, Object.values(value)[0]])),
        ),
      next: parameters.find(({ name }) => name === 'next')?.valueString,
    }
  }

  it('lists what $redrive and $discard are about, page by page, without content', async (t) => {
    const { nodes } = await withDeadLetters(t)
    const { events, next } = await listed(nodes)
    assert.equal(next, undefined)
    const [newest, oldest] = events
    assert.deepEqual(Object.keys(newest ?? {}), [
      'eventNumber',
      'topicUrl',
      'interaction',
      'focus',
      'time',
      'failedTimestamp',
      'error',
    ])
    assert.deepEqual(
      [newest?.['eventNumber'], newest?.['focus'], newest?.['interaction']],
      [4, { reference: 'Patient/d/_history/1' }, 'create'],
    )
    assert.match(String(newest?.['error']), /too large/)
    assert.doesNotMatch(JSON.stringify(events), /xxx/)
    const first = await listed(nodes, { name: 'count', valueInteger: 1 })
    assert.deepEqual(first, { events: [newest], next: '4' })
    const after = { name: 'after', valueString: '4' }
    assert.deepEqual(await listed(nodes, after), { events: [oldest], next: undefined })
    for (const [name, value] of [
      ['fromEvent', { valueInteger: 3 }],
      ['error', { valueString: 'too LARGE' }],
      ['to', { valueDateTime: '2020' }],
    ] as const) {
      const narrowed = [{ name, ...value }]
      const found = await listed(nodes, ...narrowed)
      const answer = await nodes.first.host.operate('discard', 'd', narrowed)
      const discarded = answer.parameter?.[0]?.valueDecimal
      assert.equal(found.events.length, discarded, name)
    }
    assert.deepEqual(await listed(nodes), { events: [], next: undefined })
  })

  it('says nothing of other organizations than the one that the destination is limited to by now', async (t) => {
    const { nodes, kafkaTopic } = await withDeadLetters(t)
    const { host } = nodes.first
    await host.put({ resourceType: 'Organization', id: 'a' })
    const limited = destination('d', {
      kafkaTopic,
      bootstrapServers,
      parameters: { maxRequestSize: 5000 },
    })
    await host.put(ofOrganization('a', limited))
    await host.put(ofOrganization('a', large('of-a')))
    await untilStatus(nodes.first, 'd', (now) => now['messagesDead'] === 3)
    const { events } = await listed(nodes)
    assert.deepEqual(
      events.map(({ focus }) => focus),
      [{ reference: 'Patient/of-a/_history/1' }],
    )
    assert.deepEqual(await listed(nodes, { name: 'after', valueString: '6' }), {
      events: [],
      next: undefined,
    })
  })
})

describe('$discard of dead letters', () => {
  it('forgets them and counts them; asks for a selection', async (t) => {
    const { nodes } = await withDeadLetters(t)
    const { host } = nodes.first
    await assert.rejects(host.operate('discard', 'd'), /Say what is meant/)
    const answer = await host.operate('discard', 'd', [{ name: 'toEvent', valueInteger: 2 }])
    assert.deepEqual(answer.parameter, [
      { name: 'deadLetters', valueDecimal: 1 },
      { name: 'undecided', valueDecimal: 0 },
    ])
    const status = await statusOf(nodes.first, 'd')
    assert.deepEqual(
      [status?.['messagesDead'], status?.['messagesDiscarded'], status?.['messagesQueued']],
      [1, 1, 0],
    )
  })

  it('refuses while a redrive runs', async (t) => {
    const { nodes, kafkaTopic } = await withDeadLetters(t)
    const { host } = nodes.first
    await host.put(destination('d', { kafkaTopic, bootstrapServers, more: { status: 'off' } }))
    await host.operate('redrive', 'd', [all])
    await assert.rejects(
      host.operate('discard', 'd', [all]),
      /A redrive of this destination is running/,
    )
    await assert.rejects(
      host.operate('redrive', 'd', [all]),
      /A redrive of this destination is running/,
    )
    await host.operate('cancel', 'd')
    await host.operate('discard', 'd', [all])
    assert.equal((await statusOf(nodes.first, 'd'))?.['messagesDead'], 0)
  })

  it('says what to do while a page of a cancelled one is under way and the destination is off', async (t) => {
    const { nodes, kafkaTopic, put } = await withDeadLetters(t)
    const { host } = nodes.first
    await host.put(destination('d', { kafkaTopic, bootstrapServers, more: { status: 'off' } }))
    await host.operate('redrive', 'd', [all])
    // As when it was switched off in the middle of the page.
    await nodes.pool.query(
      `update topic_destination.destination set job_page = jsonb_build_object('jobId', j.id, 'kind', j.kind, 'position', '4', 'sent', 2,
         'failed', 0, 'passedOver', 0, 'isLast', false, 'redriven', jsonb_build_array(2, 4), 'refused', '[]'::jsonb)
         from topic_destination.job j`,
    )
    await assert.rejects(host.operate('discard', 'd', [all]), /end it by \$cancel/)
    await host.operate('cancel', 'd')
    await assert.rejects(
      host.operate('discard', 'd', [all]),
      /A page of a cancelled redrive .* has to be active first/,
    )
    // Nothing is left behind by the refusal.
    const { rows } = await nodes.pool.query(`select state from topic_destination.job`)
    assert.deepEqual(rows, [{ state: 'cancelled' }])
    await put(5000)
    await eventually(async () => {
      const { rows: pages } = await nodes.pool.query(
        `select from topic_destination.destination where job_page is not null`,
      )
      return pages.length === 0
    })
    const { parameter } = await host.operate('discard', 'd', [all])
    assert.deepEqual(parameter?.[0], { name: 'deadLetters', valueDecimal: 2 })
    await consumeRecords(bootstrapServers, kafkaTopic, 3)
  })
})
