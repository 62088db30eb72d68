import assert from 'node:assert/strict'
import { describe, it, type TestContext } from 'node:test'
import { newTopic, testKafka } from '../../helpers/kafka.ts'
import { topicResource } from '../../helpers/topic-resources.ts'
import { destination, patient, readTold, startNodes, untilStatus, type Nodes } from './nodes.ts'
import type { RelaySettings } from './relay-process.ts'
import { startRelay, untilDead } from './relays.ts'

const { bootstrapServers } = await testKafka()
const eventCount = 600
const isWanted = (index: number): boolean => index % 3 !== 0
const wanted = Array.from({ length: eventCount }, (_, index) => index).filter(isWanted)

const toLog = 'read_queue as materialized'
const away = 'set not_fired ='

/** Undecided events that nobody has decided again yet: the node that wrote them is stopped. */
async function parked(t: TestContext): Promise<{ nodes: Nodes; kafkaTopic: string; url: string }> {
  const nodes = await startNodes(t)
  const kafkaTopic = await newTopic(bootstrapServers)
  const { host, module } = nodes.first
  const trigger = { resource: 'Patient', fhirPathCriteria: "name.family > 'M'" }
  await host.put(topicResource('patients', trigger))
  await host.put(destination('d', { kafkaTopic, bootstrapServers }))
  await host.transaction(async (writes) => {
    for (let index = 0; index < eventCount; index++) {
      const families = ['A', isWanted(index) ? 'Z' : 'B']
      await writes.put(patient(`p${index}`, { name: families.map((family) => ({ family })) }))
    }
  })
  await module.stop()
  const { connectionString } = nodes.pool.options as { connectionString: string }
  return { nodes, kafkaTopic, url: connectionString }
}

/** Past the module, as if another node had written it while this one was dead. */
async function correct({ pool }: Nodes): Promise<void> {
  await pool.query(
    `update resource set body = jsonb_set(body, '{trigger,0,fhirPathCriteria}', '"name.family.where($this > ''M'').exists()"')
      where reference = 'AidboxSubscriptionTopic/patients'`,
  )
}

async function focusesOf(kafkaTopic: string, count: number): Promise<string[]> {
  const events = await readTold(
    bootstrapServers,
    kafkaTopic,
    (read) => new Set(read.map(({ focus }) => focus)).size >= count,
  )
  return events.map(({ focus }) => focus)
}

type Strike = NonNullable<RelaySettings['strike']>

const deaths: readonly (Strike & { readonly name: string })[] = [
  { name: 'before it moves a batch to the log', at: toLog, when: 'before', skip: 0 },
  { name: 'after it, before COMMIT', at: toLog, when: 'after', skip: 0 },
  { name: 'in its second batch', at: toLog, when: 'after', skip: 1 },
  { name: 'before it removes what is not selected', at: away, when: 'before', skip: 1 },
  { name: 'after that, before COMMIT', at: away, when: 'after', skip: 1 },
]

describe('a node that is killed while it decides undecided events again', () => {
  for (const { name, ...strike } of deaths) {
    it(`${name}, three times: each event is read once, each other one is counted once`, async (t) => {
      const { nodes, kafkaTopic, url } = await parked(t)
      await correct(nodes)
      for (let kill = 0; kill < 3; kill++) await untilDead(t, { connectionString: url, strike })
      startRelay(t, { connectionString: url })
      const focuses = await focusesOf(kafkaTopic, wanted.length)
      assert.deepEqual(
        focuses,
        wanted.map((index) => `Patient/p${index}`),
      )
      const observer = await nodes.add()
      const status = await untilStatus(observer, 'd', (now) => now['messagesUndecided'] === 0)
      assert.equal(status['messagesNotFired'], eventCount - wanted.length)
      await untilStatus(observer, 'd', (now) => now['messagesDelivered'] === wanted.length)
    })
  }

  it('or while it releases them for an operator: each event is read once', async (t) => {
    const { nodes, kafkaTopic, url } = await parked(t)
    const strike: Strike = { at: toLog, when: 'after', skip: 0 }
    await untilDead(t, { connectionString: url, strike, release: true })
    await untilDead(t, { connectionString: url, strike: { ...strike, skip: 1 }, release: true })
    startRelay(t, { connectionString: url, release: true })
    const focuses = await focusesOf(kafkaTopic, eventCount)
    assert.deepEqual(
      focuses,
      Array.from({ length: eventCount }, (_, index) => `Patient/p${index}`),
    )
    const observer = await nodes.add()
    await untilStatus(observer, 'd', (now) => now['messagesDelivered'] === eventCount)
  })
})
