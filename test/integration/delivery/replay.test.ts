import assert from 'node:assert/strict'
import type { ParametersParameter } from '@medplum/fhirtypes'
import { describe, it, type TestContext } from 'node:test'
import type { ModuleOptions } from '../../../src/options.ts'
import {
  consumeRecords,
  consumeUntil,
  newTopic,
  testKafka,
  type ConsumedRecord,
} from '../../helpers/kafka.ts'
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
import { handOver, startRelay, untilDead } from './relays.ts'

const { bootstrapServers } = await testKafka()
const hourMs = 3_600_000

interface Recorded extends Nodes {
  readonly kafkaTopic: string
  /** What was delivered live. */
  readonly live: readonly ConsumedRecord[]
}

/** Writes of eight writers to five patients, delivered in pages of seven. */
async function recorded(t: TestContext, options: Partial<ModuleOptions> = {}): Promise<Recorded> {
  const nodes = await startNodes(t, 1, {
    maxPageEvents: 7,
    deliveredRetentionMs: hourMs,
    ...options,
  })
  const kafkaTopic = await newTopic(bootstrapServers)
  const { host } = nodes.first
  await host.put(patientsTopic)
  await host.put(destination('d', { kafkaTopic, bootstrapServers }))
  const writers = Array.from({ length: 8 }, async (_writer, writer) => {
    for (let n = 0; n < 10; n++)
      await host.put(patient(`p${(writer + n) % 5}`, { birthDate: `200${writer}-01-${10 + n}` }))
  })
  await Promise.all(writers)
  await host.delete('Patient/p0')
  const live = await consumeRecords(bootstrapServers, kafkaTopic, 81)
  await untilStatus(nodes.first, 'd', (now) => now['messagesDelivered'] === 81)
  return { ...nodes, kafkaTopic, live }
}

function isReplayed(record: ConsumedRecord): boolean {
  return deliveryOf(record) === 'replay'
}

async function consumeReplayed(kafkaTopic: string, count: number): Promise<ConsumedRecord[]> {
  const records = await consumeUntil(
    bootstrapServers,
    kafkaTopic,
    (read) => read.filter(isReplayed).length >= count,
    { deadlineMs: 60_000 },
  )
  return records.filter(isReplayed)
}

describe('$replay', () => {
  for (const transactional of [true, false]) {
    it(`sends a stretch again byte for byte, in the order of its numbers ${transactional ? 'in' : 'without'} transactions`, async (t) => {
      const { first, kafkaTopic, live } = await recorded(t, { transactional })
      const answer = await first.host.operate('replay', 'd', [all])
      assert.deepEqual(answer.parameter?.slice(0, 2), [
        { name: 'firstEvent', valueDecimal: 1 },
        { name: 'lastEvent', valueDecimal: 81 },
      ])
      const replayed = await consumeReplayed(kafkaTopic, 81)
      assert.deepEqual(replayed.map(asLive), live.map(asLive))
      const status = await untilStatus(first, 'd', ({ jobs }) => jobs[0]?.['state'] === 'done')
      const [job] = status.jobs
      assert.deepEqual([job?.['total'], job?.['sent'], job?.['failed']], [81, 81, 0])
      assert.deepEqual([status['messagesDelivered'], status['messagesQueued']], [81, 0])
    })
  }

  it('sends what a range of numbers and of times have in common', async (t) => {
    const { first, kafkaTopic, live } = await recorded(t)
    const at = live[49]?.headers['ce_time'] ?? ''
    await first.host.operate('replay', 'd', [
      { name: 'fromEvent', valueInteger: 20 },
      { name: 'toEvent', valueInteger: 30 },
      { name: 'to', valueDateTime: at },
    ])
    const status = await untilStatus(first, 'd', ({ jobs }) => jobs[0]?.['state'] === 'done')
    assert.equal(status.jobs[0]?.['sent'], 11)
    const replayed = await consumeReplayed(kafkaTopic, 11)
    assert.deepEqual(
      replayed.map((record) => told(record).number),
      Array.from({ length: 11 }, (_, index) => index + 20),
    )
    await assert.rejects(
      first.host.operate('replay', 'd', [{ name: 'to', valueDateTime: '2020' }]),
      /No delivered event of this range is kept/,
    )
  })

  it('keeps live events flowing, in order and numbered without a gap', async (t) => {
    const { first, kafkaTopic } = await recorded(t)
    await first.host.operate('replay', 'd', [all, { name: 'maxPerSecond', valueInteger: 200 }])
    for (let n = 0; n < 40; n++) await first.host.put(patient('live', { birthDate: `19${10 + n}` }))
    const records = await consumeUntil(
      bootstrapServers,
      kafkaTopic,
      (read) => read.length >= 81 + 81 + 40,
      { deadlineMs: 60_000 },
    )
    const live = records.filter((record) => !isReplayed(record)).map(told)
    assert.deepEqual(
      live.map(({ number }) => number),
      Array.from({ length: 121 }, (_, index) => index + 1),
    )
    assert.deepEqual(
      records.filter(isReplayed).map((record) => told(record).number),
      Array.from({ length: 81 }, (_, index) => index + 1),
    )
  })

  it('may be asked for on any node, beside a job of another kind', async (t) => {
    const { all: nodes, first, kafkaTopic, add } = await recorded(t)
    await add()
    for (const { host } of nodes) {
      await host.operate('replay', 'd', [all])
      await host.operate('backfill', 'd')
      await untilStatus(
        first,
        'd',
        ({ jobs }) => jobs.length === 2 && jobs.every(({ state }) => state === 'done'),
      )
    }
    const replayed = await consumeReplayed(kafkaTopic, 2 * 81)
    const numbers = Array.from({ length: 81 }, (_, index) => index + 1)
    assert.deepEqual(
      replayed.map((record) => told(record).number),
      [...numbers, ...numbers],
    )
    const status = await statusOf(first, 'd')
    // Four patients are left.
    assert.equal(status?.['messagesDelivered'], 81 + 2 * 4)
  })

  it('is refused where nothing is kept', async (t) => {
    const { first } = await recorded(t, { deliveredRetentionMs: 0 })
    await assert.rejects(
      first.host.operate('replay', 'd', [all]),
      /option deliveredRetentionMs would/,
    )
  })

  it('says how many events of the range are not kept', async (t) => {
    const { first, pool } = await recorded(t)
    const { rows } = await pool.query<{ count: number }>(
      `delete from topic_destination.delivered_page
        where first_event_no = (select max(first_event_no) from topic_destination.delivered_page)
       returning (last_event_no - first_event_no + 1)::int as count`,
    )
    const missing = rows[0]?.count ?? 0
    const remarks = async (...parameters: ParametersParameter[]): Promise<string> => {
      const answer = await first.host.operate('replay', 'd', parameters)
      await untilStatus(first, 'd', ({ jobs }) => jobs[0]?.['state'] === 'done')
      return JSON.stringify(answer.parameter?.slice(3))
    }
    assert.match(await remarks(all), new RegExp(`"${missing} of the events 1 to 81 are not sent`))
    const kept = { name: 'toEvent', valueInteger: 81 - missing }
    assert.equal(await remarks(kept), '[]')
    const more = [
      { name: 'fromEvent', valueInteger: 2 },
      { name: 'toEvent', valueInteger: 500 },
    ]
    assert.match(await remarks(...more), new RegExp(`"${missing} of the events 2 to 81 are not`))
  })

  it('says which events have no content any more, and sends the others', async (t) => {
    const { first, kafkaTopic, pool } = await recorded(t)
    const { rowCount } = await pool.query(
      `delete from topic_destination.event where resource_id = 'p1' and interaction <> 'd'`,
    )
    await first.host.operate('replay', 'd', [all])
    const status = await untilStatus(first, 'd', ({ jobs }) => jobs[0]?.['state'] === 'done')
    const [job] = status.jobs
    assert.deepEqual([job?.['sent'], job?.['failed']], [81 - (rowCount ?? 0), rowCount])
    assert.match(String(job?.['error']), /neither in the log nor in the history/)
    const replayed = await consumeReplayed(kafkaTopic, 81 - (rowCount ?? 0))
    assert.ok(replayed.every((record) => told(record).focus !== 'Patient/p1'))
  })

  it('is only about what belongs to the organization that the destination is limited to by now', async (t) => {
    const { first, kafkaTopic } = await recorded(t)
    const { host } = first
    const unlimited = destination('d', { kafkaTopic, bootstrapServers })
    await host.put({ resourceType: 'Organization', id: 'a' })
    await host.put(ofOrganization('a', unlimited))
    await assert.rejects(host.operate('replay', 'd', [all]), /No delivered event of this range/)
    await host.put(ofOrganization('a', patient('of-a')))
    await untilStatus(first, 'd', (now) => now['messagesDelivered'] === 82)
    await host.operate('replay', 'd', [all])
    const { jobs } = await untilStatus(first, 'd', (now) => now.jobs[0]?.['state'] === 'done')
    assert.deepEqual([jobs[0]?.['total'], jobs[0]?.['sent']], [1, 1])
    const records = await consumeRecords(bootstrapServers, kafkaTopic, 83)
    assert.deepEqual(
      records.filter(isReplayed).map((record) => told(record).focus),
      ['Patient/of-a'],
    )
    // Without a limit everything is its own again.
    await host.put(unlimited)
    const answer = await host.operate('replay', 'd', [all])
    assert.deepEqual(answer.parameter?.slice(0, 2), [
      { name: 'firstEvent', valueDecimal: 1 },
      { name: 'lastEvent', valueDecimal: 82 },
    ])
  })

  it('ends when it is cancelled', async (t) => {
    const { first } = await recorded(t)
    const slowly = [all, { name: 'maxPerSecond', valueInteger: 1 }]
    await first.host.operate('replay', 'd', slowly)
    await assert.rejects(first.host.operate('replay', 'd', slowly), /A replay of this destination/)
    await untilStatus(first, 'd', ({ jobs }) => Number(jobs[0]?.['sent']) > 0)
    const ended = await first.host.operate('cancel', 'd')
    assert.equal(ended.parameter?.length, 1)
    const status = await statusOf(first, 'd')
    assert.equal(status?.jobs[0]?.['state'], 'cancelled')
    assert.ok(
      Number(ended.parameter[0]?.part?.find(({ name }) => name === 'sent')?.valueDecimal) < 81,
    )
    // The lane is free for the next one.
    await first.host.operate('replay', 'd', [{ name: 'fromEvent', valueInteger: 81 }])
    await untilStatus(first, 'd', ({ jobs }) => jobs[0]?.['state'] === 'done')
  })

  const kills = [
    { name: 'between commit and settlement', checkpoint: true, doubles: 0 },
    { name: 'between commit and settlement, without checkpoints', checkpoint: false, doubles: 7 },
  ]
  for (const { name, checkpoint, doubles } of kills) {
    it(`whose leader is killed ${name}, goes on with the next one: none is missing, ${doubles} come twice`, async (t) => {
      const { first, kafkaTopic, pool } = await recorded(t, { checkpoint })
      const { host } = first
      await host.put(destination('d', { kafkaTopic, bootstrapServers, more: { status: 'off' } }))
      await host.operate('replay', 'd', [all])
      const connectionString = await handOver({ first, pool })
      const options = { maxPageEvents: 7, checkpoint, deliveredRetentionMs: hourMs }
      const strike = { at: 'passed_over = j.passed_over', when: 'before', skip: 5 } as const
      await untilDead(t, { connectionString, options, strike })
      startRelay(t, { connectionString, options })
      const replayed = await consumeReplayed(kafkaTopic, 81 + doubles)
      const numbers = replayed.map((record) => told(record).number)
      assert.deepEqual(
        [...new Set(numbers)],
        Array.from({ length: 81 }, (_, index) => index + 1),
      )
      assert.equal(numbers.length, 81 + doubles)
    })
  }
})
