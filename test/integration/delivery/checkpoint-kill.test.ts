import assert from 'node:assert/strict'
import { describe, it, type TestContext } from 'node:test'
import type { ModuleOptions } from '../../../src/options.ts'
import { consumeUntil, newTopic, testKafka } from '../../helpers/kafka.ts'
import {
  destination,
  patient,
  patientsTopic,
  startNodes,
  told,
  untilStatus,
  type Nodes,
} from './nodes.ts'
import type { RelaySettings } from './relay-process.ts'
import { handOver, startRelay, untilDead } from './relays.ts'

const { bootstrapServers } = await testKafka()
const acknowledgement = 'delivered = delivered +'
const eventCount = 300

/** A queue that nobody has delivered yet: the node that wrote it is stopped. */
async function queued(t: TestContext): Promise<{ nodes: Nodes; kafkaTopic: string; url: string }> {
  const nodes = await startNodes(t)
  const kafkaTopic = await newTopic(bootstrapServers)
  const { host } = nodes.first
  await host.put(patientsTopic)
  await host.put(destination('d', { kafkaTopic, bootstrapServers, more: { status: 'off' } }))
  await host.transaction(async (writes) => {
    for (let n = 0; n < eventCount; n++) await writes.put(patient(`p${n}`))
  })
  await host.put(destination('d', { kafkaTopic, bootstrapServers, more: { status: 'off' } }))
  return { nodes, kafkaTopic, url: await handOver(nodes) }
}

async function numbersOf(
  kafkaTopic: string,
  isDone: (count: number) => boolean,
): Promise<number[]> {
  const records = await consumeUntil(
    bootstrapServers,
    kafkaTopic,
    (read) => isDone(new Set(read.map((record) => told(record).number)).size),
    { deadlineMs: 60_000 },
  )
  return records.map((record) => told(record).number)
}

const all = Array.from({ length: eventCount }, (_, index) => index + 1)

interface Death extends NonNullable<RelaySettings['strike']> {
  readonly name: string
  /** `skip` of the successors: their first acknowledgement is for what their predecessor had committed. */
  readonly laterSkip: number
  readonly kills: number
}

const deaths: readonly Death[] = [
  {
    name: 'between commit and acknowledgement',
    at: acknowledgement,
    when: 'before',
    skip: 0,
    laterSkip: 1,
    kills: 3,
  },
  {
    name: 'in its second page',
    at: acknowledgement,
    when: 'before',
    skip: 1,
    laterSkip: 2,
    kills: 3,
  },
  {
    name: 'after an acknowledgement',
    at: acknowledgement,
    when: 'after',
    skip: 0,
    laterSkip: 0,
    kills: 3,
  },
  {
    name: 'while it settles',
    at: acknowledgement,
    when: 'before',
    skip: 0,
    laterSkip: 0,
    kills: 3,
  },
  {
    name: 'before it opens a round',
    at: 'round_snap = $8',
    when: 'before',
    skip: 0,
    laterSkip: 0,
    kills: 1,
  },
  {
    name: 'after it has opened a round',
    at: 'round_snap = $8',
    when: 'after',
    skip: 0,
    laterSkip: 0,
    kills: 1,
  },
]

describe('a leader that is killed', () => {
  const pageSizes = [50, 20, 35]
  for (const { name, at, when, skip: firstSkip, laterSkip, kills } of deaths) {
    it(`${name}, again and again, by leaders with pages of any size: each event is read once`, async (t) => {
      const { nodes, kafkaTopic, url } = await queued(t)
      for (const [index, maxPageEvents] of pageSizes.slice(0, kills).entries()) {
        const strike = { at, when, skip: index === 0 ? firstSkip : laterSkip }
        await untilDead(t, { connectionString: url, options: { maxPageEvents }, strike })
      }
      startRelay(t, { connectionString: url, options: { maxPageEvents: 30 } })
      const numbers = await numbersOf(kafkaTopic, (count) => count === eventCount)
      assert.deepEqual(numbers, all)
      const observer = await nodes.add()
      await untilStatus(observer, 'd', (now) => now['messagesDelivered'] === eventCount)
    })
  }

  it('between commit and acknowledgement, and whose destination goes to another Kafka topic then: each event is read once', async (t) => {
    const { nodes, kafkaTopic, url } = await queued(t)
    const options: Partial<ModuleOptions> = { maxPageEvents: 50 }
    const strike = { at: acknowledgement, when: 'before', skip: 0 } as const
    await untilDead(t, { connectionString: url, options, strike })
    const other = await newTopic(bootstrapServers)
    await nodes.pool.query(
      `update resource set body = replace(body::text, $1, $2)::jsonb where reference = 'AidboxTopicDestination/d'`,
      [kafkaTopic, other],
    )
    startRelay(t, { connectionString: url, options })
    const moved = await numbersOf(other, (count) => count === eventCount - 50)
    const before = await numbersOf(kafkaTopic, (count) => count === 50)
    assert.deepEqual([...before, ...moved], all)
    const observer = await nodes.add()
    await untilStatus(observer, 'd', (now) => now['messagesDelivered'] === eventCount)
  })

  it('sends pages twice without checkpoints: nothing is lost, and this test would see a double', async (t) => {
    const { kafkaTopic, url } = await queued(t)
    const options: Partial<ModuleOptions> = { maxPageEvents: 50, checkpoint: false }
    const strike = { at: acknowledgement, when: 'before', skip: 0 } as const
    await untilDead(t, { connectionString: url, options, strike })
    startRelay(t, { connectionString: url, options })
    const numbers = await numbersOf(kafkaTopic, (count) => count === eventCount)
    assert.equal(numbers.length, eventCount + 50)
    assert.deepEqual([...new Set(numbers)], all)
  })
})
