import assert from 'node:assert/strict'
import { it } from 'node:test'
import { LaneSupervisor } from '../../../src/delivery/lane-supervisor.ts'
import { Signal } from '../../../src/signal.ts'
import { silentLogger } from '../../../src/observability/logger.ts'
import { enqueueEvents } from '../../../src/outbox/enqueue.ts'
import { addDestination, newEvents, testOutbox } from '../postgres/outbox-fixture.ts'
import { laneDestination } from './lane-destination.ts'
import { noJobs } from './no-jobs.ts'

it('stop leaves a lane to itself whose Kafka cluster hangs', async (t) => {
  const outbox = await testOutbox(t)
  const row = await addDestination(outbox, 'd')
  await enqueueEvents(outbox.db, outbox.schema, newEvents(row.topicId, 1))
  const { reference, topicUrl } = row
  const destination = { ...laneDestination, reference, topicUrl }
  const sending = new Signal()
  let revive: () => void = () => undefined
  const hung = new Promise<void>((resolve) => {
    revive = resolve
  })
  let isLed = false
  const left: number[] = []
  const supervisor = new LaneSupervisor({
    db: outbox.db,
    schema: outbox.schema,
    registry: {
      destinations: new Map([[row.reference, { row, destination, fault: undefined }]]),
      onChange: () => undefined,
    },
    presence: { onLost: () => undefined, onNotice: () => undefined },
    leadership: {
      tryLead: () => {
        const won = isLed ? [] : [{ destinationId: row.destinationId, epoch: 0 }]
        isLed = true
        return Promise.resolve({ won, left: [], nodes: 1 })
      },
      resign: () => Promise.resolve(),
      leave: () => {
        left.push(1)
        return Promise.resolve()
      },
    },
    jobWork: noJobs,
    notices: { send: () => undefined },
    createProducer: () => ({
      start: () => Promise.resolve(),
      sendPage: () => {
        sending.raise()
        return hung
      },
      checkpointTopic: 't',
      readCheckpoint: () => Promise.resolve(undefined),
      probeCheckpoint: () => Promise.resolve(),
      close: () => hung,
    }),
    baseUrl: 'https://fhir.example.org/fhir',
    cloudEventsHeaders: true,
    checkpoint: true,
    undeliverable: 'set-aside',
    maxPageEvents: 100,
    maxPageBytes: 1e6,
    pageLingerMs: 0,
    pollIntervalMs: 20,
    idleProducerMs: 60_000,
    stopTimeoutMs: 0,
    logger: silentLogger,
  })
  supervisor.start()
  await sending.wait()
  await supervisor.stop()
  assert.deepEqual(left, [1])
  revive()
})
