import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { consumeUntil, newTopic, testKafka } from '../../helpers/kafka.ts'
import { all, assertNeverBack, deliveryOf } from './job-records.ts'
import {
  destination,
  patient,
  patientsTopic,
  startNodes,
  told,
  untilStatus,
  type JobStatus,
} from './nodes.ts'
import type { RelaySettings } from './relay-process.ts'
import { handOver, startRelay, untilDead } from './relays.ts'

const { bootstrapServers } = await testKafka()

const writesPage = 'job_page = $5'
const settlesPage = 'passed_over = j.passed_over'
const acknowledges = 'delivered = delivered +'

/** Where one leader after the other dies. */
const strikes: readonly NonNullable<RelaySettings['strike']>[] = [
  { at: acknowledges, when: 'before', skip: 0 },
  { at: acknowledges, when: 'after', skip: 1 },
  { at: writesPage, when: 'before', skip: 1 },
  { at: writesPage, when: 'after', skip: 2 },
  { at: settlesPage, when: 'before', skip: 2 },
  // It finds the page of its predecessor in Kafka.
  { at: settlesPage, when: 'before', skip: 0 },
  { at: settlesPage, when: 'after', skip: 2 },
]

const upTo = (count: number): number[] => Array.from({ length: count }, (_, index) => index + 1)

describe('jobs and a backlog under leaders that are killed', () => {
  // A leader that does not die would be waited for without end.
  it(
    'nothing is missing, doubled, out of order or misnumbered',
    { timeout: 300_000 },
    async (t) => {
      const { first, pool, add } = await startNodes(t, 1, { deliveredRetentionMs: 3_600_000 })
      const { host } = first
      const kafkaTopic = await newTopic(bootstrapServers)
      await host.put(patientsTopic)
      await host.put(destination('d', { kafkaTopic, bootstrapServers }))
      for (let n = 0; n < 40; n++) await host.put(patient(`p${n}`))
      await untilStatus(first, 'd', (now) => now['messagesDelivered'] === 40)
      await host.put(destination('d', { kafkaTopic, bootstrapServers, more: { status: 'off' } }))
      for (let n = 0; n < 60; n++) await host.put(patient(`p${n}`, { active: true }))
      await host.operate('replay', 'd', [all])
      await host.operate('backfill', 'd')
      const connectionString = await handOver({ first, pool })
      const options = { maxPageEvents: 7, deliveredRetentionMs: 3_600_000 }
      for (const strike of strikes) await untilDead(t, { connectionString, options, strike })
      startRelay(t, { connectionString, options })
      const observer = await add()
      const isDone = ({ state }: JobStatus): boolean => state === 'done'
      const status = await untilStatus(
        observer,
        'd',
        (now) => now.jobs.every(isDone) && now['messagesQueued'] === 0,
      )
      const backfill = status.jobs.find(({ kind }) => kind === 'backfill')
      const [sent, passedOver] = [Number(backfill?.['sent']), Number(backfill?.['passedOver'])]
      // Those that still waited as live events came as such alone.
      assert.equal(sent + passedOver, 60)
      assert.equal(status['messagesDelivered'], 100 + sent)
      await observer.host.put(patient('last'))
      const records = await consumeUntil(
        bootstrapServers,
        kafkaTopic,
        (read) => read.some((record) => told(record).focus === 'Patient/last'),
        { deadlineMs: 60_000 },
      )
      assert.equal(records.length, 100 + sent + 40 + 1)
      const of = (...kinds: readonly string[]): ReturnType<typeof told>[] =>
        records.filter((record) => kinds.includes(deliveryOf(record))).map(told)
      // Backfilled and live events share the numbers.
      assert.deepEqual(
        of('live', 'backfill').map(({ number }) => number),
        upTo(100 + sent + 1),
      )
      assert.deepEqual(
        of('replay').map(({ number }) => number),
        upTo(40),
      )
      assert.equal(new Set(of('backfill').map(({ focus }) => focus)).size, sent)
      assertNeverBack(of('live', 'backfill'))
    },
  )
})
