import assert from 'node:assert/strict'
import { isDeepStrictEqual } from 'node:util'
import { describe, it, type TestContext } from 'node:test'
import { setImmediate as nextTurn } from 'node:timers/promises'
import { Lane } from '../../../src/delivery/lane.ts'
import { Signal } from '../../../src/signal.ts'
import type { SqlTx } from '../../../src/host/types.ts'
import { KafkaFailure } from '../../../src/kafka/kafka-error.ts'
import type { KafkaRecord } from '../../../src/kafka/producer.ts'
import { silentLogger } from '../../../src/observability/logger.ts'
import { readDeliveryStatus } from '../../../src/outbox/counters.ts'
import { enqueueEvents } from '../../../src/outbox/enqueue.ts'
import {
  addDestination,
  eventually,
  newEvents,
  testOutbox,
  type Outbox,
} from '../postgres/outbox-fixture.ts'
import { laneDestination as destination } from './lane-destination.ts'
import { noJobs } from './no-jobs.ts'

/** What one sendPage does: resolve, reject, or (a promise) wait. */
type Fate = Promise<void> | KafkaFailure | undefined

/** Kafka as the lane sees it, following a script; after its end every page is committed. */
class ScriptedKafka {
  /** `producer: number key, …` of each attempt. */
  readonly attempts: string[] = []
  /** The first event number of each committed page. */
  readonly commits: number[] = []
  readonly closes: number[] = []
  starts = 0
  /** That of the last commit. */
  checkpoint: number | undefined
  /** The right to keep checkpoints is missing. */
  refusal: KafkaFailure | undefined
  readonly #script: Fate[]
  readonly #changed = new Signal()
  #producers = 0

  constructor(script: Fate[]) {
    this.#script = script
  }

  readonly createProducer = () => {
    const name = ++this.#producers
    let giveUp: (error: KafkaFailure) => void = () => undefined
    return {
      start: () => {
        this.starts++
        return Promise.resolve()
      },
      sendPage: async (
        records: readonly KafkaRecord[],
        beforeCommit?: () => Promise<number | undefined>,
      ) => {
        this.attempts.push(`${name}: ${records.map(numbered).join(', ')}`)
        const givenUp = new Promise<void>((_resolve, reject) => {
          giveUp = reject
        })
        givenUp.catch(() => undefined)
        this.#changed.raise()
        const fate = this.#script.shift()
        if (fate instanceof KafkaFailure) throw fate
        const checkpoint = await beforeCommit?.()
        if (fate) await Promise.race([fate, givenUp])
        else {
          this.commits.push(Number(/\d+/.exec(numbered(records[0]))?.[0]))
          this.checkpoint = checkpoint ?? this.checkpoint
        }
      },
      checkpointTopic: 't',
      readCheckpoint: () => {
        if (this.refusal) return Promise.reject(this.refusal)
        return Promise.resolve(this.checkpoint)
      },
      probeCheckpoint: () => (this.refusal ? Promise.reject(this.refusal) : Promise.resolve()),
      close: (timeoutMs: number) => {
        this.closes.push(timeoutMs)
        giveUp(new KafkaFailure('fatal', 'It was closed.'))
        return Promise.resolve()
      },
    }
  }

  async until(attempts: number): Promise<void> {
    while (this.attempts.length < attempts) await this.#changed.wait(30_000)
  }
}

function numbered(record: KafkaRecord | undefined): string {
  const number = /"eventNumber":(\d+)/.exec(record?.value.toString() ?? '')?.[1]
  return `${number ?? '?'} ${record?.key ?? ''}`
}

async function startLane(
  t: TestContext,
  kafka: ScriptedKafka,
  {
    events,
    db = (outbox) => outbox.db,
    checkpoint = true,
    idleProducerMs = 60_000,
    undeliverable = 'set-aside',
    prepare = () => Promise.resolve(),
  }: {
    events: number
    db?: (outbox: Outbox) => SqlTx
    checkpoint?: boolean
    idleProducerMs?: number
    undeliverable?: 'set-aside' | 'wait'
    prepare?: (outbox: Outbox) => Promise<unknown>
  },
) {
  // Before the database goes: what is registered first runs first.
  let stop = (): Promise<void> => Promise.resolve()
  t.after(() => stop())
  const outbox = await testOutbox(t)
  const { destinationId, topicId } = await addDestination(outbox, 'd')
  await enqueueEvents(outbox.db, outbox.schema, newEvents(topicId, events))
  await prepare(outbox)
  const lane = new Lane({
    db: db(outbox),
    schema: outbox.schema,
    destinationId,
    epoch: 0,
    destination,
    sourceVersion: 0,
    jobWork: noJobs,
    createProducer: kafka.createProducer,
    baseUrl: 'https://fhir.example.org/fhir',
    cloudEventsHeaders: true,
    checkpoint,
    maxPageEvents: 100,
    maxPageBytes: 1e6,
    pageLingerMs: 0,
    pollIntervalMs: 20,
    idleProducerMs,
    undeliverable,
    stopTimeoutMs: 4711,
    logger: silentLogger,
  })
  const ended = lane.run()
  stop = async () => {
    lane.stop()
    await ended
  }
  const status = async () => {
    const found = await readDeliveryStatus(outbox.db, outbox.schema, destination.reference)
    assert.ok(found)
    return found
  }
  return { lane, ended, outbox, topicId, status }
}

const retriable = (): KafkaFailure => new KafkaFailure('retriable', 'Not now.')

/** The database, with the first acknowledgement given to `meet` instead. */
function meetingFirstAcknowledgement(
  { db }: Outbox,
  meet: (run: () => Promise<unknown>) => Promise<unknown>,
): SqlTx {
  let isMet = false
  return {
    query: async (text: string, values?: readonly unknown[]) => {
      const run = () => db.query(text, values)
      if (isMet || !text.includes('delivered = delivered +')) return run()
      isMet = true
      return meet(run)
    },
  } as SqlTx
}

describe('a page that is sent while the one before it is acknowledged', () => {
  it('is committed only after the acknowledgement', async (t) => {
    const kafka = new ScriptedKafka([])
    let acknowledge: () => void = () => undefined
    const allowed = new Promise<void>((resolve) => {
      acknowledge = resolve
    })
    const { status } = await startLane(t, kafka, {
      events: 250,
      db: (outbox) =>
        meetingFirstAcknowledgement(outbox, async (run) => {
          await allowed
          return run()
        }),
    })
    await kafka.until(2)
    await nextTurn()
    assert.deepEqual([kafka.commits, (await status()).delivered], [[1], 0])
    acknowledge()
    await kafka.until(3)
    await eventually(async () => (await status()).delivered === 250)
    assert.deepEqual(kafka.commits, [1, 101, 201])
  })

  it('is never committed when the acknowledgement finds another leader', async (t) => {
    const kafka = new ScriptedKafka([])
    const { ended } = await startLane(t, kafka, {
      events: 250,
      db: (outbox) =>
        meetingFirstAcknowledgement(outbox, async (run) => {
          await outbox.pool.query(`update ${outbox.schema.destination} set epoch = epoch + 1`)
          return run()
        }),
    })
    await ended
    assert.deepEqual(kafka.commits, [1])
  })

  it('is given up with the page before it when the database fails; without checkpoints both come again under their numbers', async (t) => {
    const kafka = new ScriptedKafka([])
    const { status } = await startLane(t, kafka, {
      events: 150,
      checkpoint: false,
      db: (outbox) =>
        meetingFirstAcknowledgement(outbox, () => Promise.reject(new Error('connection lost'))),
    })
    await eventually(async () => (await status()).delivered === 150)
    assert.deepEqual(kafka.commits, [1, 1, 101])
    assert.deepEqual(
      kafka.attempts.map((attempt) => attempt.split(',', 1)[0]),
      ['1: 1 p1', '1: 101 p101', '1: 1 p1', '1: 101 p101'],
    )
  })
})

it('a lane without checkpoints backs off ever longer while acknowledgements fail, although its page is committed each time', async (t) => {
  t.mock.method(Math, 'random', () => 0.999)
  const waits: number[] = []
  const wait = globalThis.setTimeout
  t.mock.method(globalThis, 'setTimeout', (run: () => void, timeoutMs: number) => {
    waits.push(timeoutMs)
    return wait(run, Math.min(timeoutMs, 5))
  })
  let failures = 4
  const kafka = new ScriptedKafka([])
  const { status } = await startLane(t, kafka, {
    events: 150,
    checkpoint: false,
    db: ({ db }) => ({
      query: async (text, values) => {
        if (text.includes('delivered = delivered +') && failures-- > 0) {
          throw new Error('cannot execute UPDATE in a read-only transaction')
        }
        return db.query(text, values)
      },
    }),
  })
  await eventually(async () => (await status()).delivered === 150)
  const backOffs = [100, 200, 400, 800, 1600]
  assert.deepEqual(
    waits.filter((timeoutMs) => backOffs.includes(timeoutMs)),
    [100, 200, 400, 800],
  )
  assert.deepEqual(kafka.commits, [1, 1, 1, 1, 1, 101])
})

describe('a lane with checkpoints', () => {
  const noRight = (): KafkaFailure => new KafkaFailure('no-checkpoint', 'No right.')

  it('settles a page whose acknowledgement failed, and sends none of it again', async (t) => {
    const kafka = new ScriptedKafka([])
    const { status } = await startLane(t, kafka, {
      events: 250,
      db: (outbox) =>
        meetingFirstAcknowledgement(outbox, () => Promise.reject(new Error('connection lost'))),
    })
    await eventually(async () => (await status()).delivered === 250)
    assert.deepEqual(kafka.commits, [1, 101, 201])
  })

  it('sends a page again that it acknowledged and whose row was put back', async (t) => {
    const kafka = new ScriptedKafka([])
    const { lane, outbox, status } = await startLane(t, kafka, { events: 2 })
    await eventually(async () => (await status()).delivered === 2)
    const { destination: table } = outbox.schema
    await outbox.pool.query(
      `update ${table} set low = 0, pos = 0, snap = '1:1:', round_snap = null, round_pos = null, event_no = 0,
              token = 2147483648, source_version = source_version + 1`,
    )
    lane.update(destination, 1)
    await kafka.until(2)
    assert.deepEqual(kafka.attempts, ['1: 1 p1, 2 p2', '1: 1 p1, 2 p2'])
  })

  it('asks Kafka after every failed attempt before it sends again', async (t) => {
    const kafka = new ScriptedKafka([retriable()])
    // Committed by somebody in the name of this lane, as far as it can tell, although the attempt failed.
    const { outbox, status } = await startLane(t, kafka, { events: 2 })
    await kafka.until(1)
    const { rows } = await outbox.pool.query<{ token: string }>(
      `select token from ${outbox.schema.destination}`,
    )
    kafka.checkpoint = Number(rows[0]?.token) * 2 ** 20 + 2
    await eventually(async () => (await status()).delivered === 2)
    assert.deepEqual(kafka.commits, [])
  })

  it('goes on without when the right is missing, says so, and begins again when it is there', async (t) => {
    const kafka = new ScriptedKafka([])
    kafka.refusal = noRight()
    const { lane, outbox, topicId, status } = await startLane(t, kafka, { events: 2 })
    await eventually(async () => (await status()).delivered === 2)
    const guarantee = async (): Promise<unknown> => {
      const { rows } = await outbox.pool.query<object>(
        `select exactly_once, note from ${outbox.schema.destination}`,
      )
      return rows[0]
    }
    assert.deepEqual(await guarantee(), { exactly_once: false, note: 'No right.' })
    assert.equal(kafka.checkpoint, undefined)
    kafka.refusal = undefined
    const now = performance.now.bind(performance)
    t.mock.method(performance, 'now', () => now() + 10_000)
    lane.wake()
    await eventually(async () =>
      isDeepStrictEqual(await guarantee(), { exactly_once: true, note: null }),
    )
    await enqueueEvents(outbox.db, outbox.schema, newEvents(topicId, 1))
    lane.wake()
    await eventually(async () => (await status()).delivered === 3)
    assert.notEqual(kafka.checkpoint, undefined)
  })

  it('goes on without when the right is taken away between two pages', async (t) => {
    const kafka = new ScriptedKafka([undefined, noRight()])
    const { lane, outbox, topicId, status } = await startLane(t, kafka, { events: 1 })
    await eventually(async () => (await status()).delivered === 1)
    kafka.refusal = noRight()
    await enqueueEvents(outbox.db, outbox.schema, newEvents(topicId, 1))
    lane.wake()
    await eventually(async () => (await status()).delivered === 2)
    assert.equal((await status()).failedAttempts, 0)
  })
})

describe('a lane without events', () => {
  const wasConnected = ({ pool, schema }: Outbox) =>
    pool.query(`update ${schema.destination} set exactly_once = true`)
  const isAtRest = (lane: Lane) =>
    eventually(() => Promise.resolve(lane.restingPlace !== undefined))

  it('connects when nobody has before, so that $status tells what is wrong', async (t) => {
    const kafka = new ScriptedKafka([])
    const { lane } = await startLane(t, kafka, { events: 0 })
    await isAtRest(lane)
    assert.equal(kafka.starts, 1)
  })

  it('connects with the first event when it was connected before', async (t) => {
    const kafka = new ScriptedKafka([])
    const { lane, outbox, topicId } = await startLane(t, kafka, {
      events: 0,
      prepare: wasConnected,
    })
    await isAtRest(lane)
    assert.equal(kafka.starts, 0)
    await enqueueEvents(outbox.db, outbox.schema, newEvents(topicId, 1))
    lane.wake()
    await kafka.until(1)
    assert.deepEqual([kafka.starts, kafka.attempts], [1, ['1: 1 p1']])
  })

  it('connects at once to another cluster', async (t) => {
    const kafka = new ScriptedKafka([])
    const { lane } = await startLane(t, kafka, { events: 0, prepare: wasConnected })
    await isAtRest(lane)
    lane.update({ ...destination, parameters: { kafkaTopic: 't', bootstrapServers: 'b:1' } }, 0)
    await eventually(() => Promise.resolve(kafka.starts === 1))
  })

  it('runs no statement until it is woken, and disconnects meanwhile', async (t) => {
    const kafka = new ScriptedKafka([])
    let statements = 0
    const { lane, outbox, topicId, status } = await startLane(t, kafka, {
      events: 1,
      idleProducerMs: 1500,
      db: ({ db }) => ({
        query: (text, values) => {
          statements++
          return db.query(text, values)
        },
      }),
    })
    await eventually(async () => (await status()).delivered === 1)
    await eventually(() => Promise.resolve(kafka.closes.length === 1))
    await isAtRest(lane)
    assert.deepEqual(lane.restingPlace, new Map([[topicId, 1n]]))
    const before = statements
    await eventually(async () => (await status()).queued === 0)
    for (let look = 0; look < 20; look++) await status()
    assert.equal(statements, before)
    await enqueueEvents(outbox.db, outbox.schema, newEvents(topicId, 1))
    lane.wake()
    await kafka.until(2)
    assert.deepEqual(kafka.attempts, ['1: 1 p1', '2: 2 p1'])
  })

  it('does not fence the next leader when it has lost the destination without noticing', async (t) => {
    const kafka = new ScriptedKafka([])
    const { ended } = await startLane(t, kafka, {
      events: 1,
      prepare: ({ pool, schema }) => pool.query(`update ${schema.destination} set epoch = 1`),
    })
    await ended
    assert.equal(kafka.starts, 0)
  })
})

describe('Lane', () => {
  it('sends the same events with the same numbers after every kind of failure; a dead producer is never used again', async (t) => {
    const kafka = new ScriptedKafka([
      retriable(),
      new KafkaFailure('fatal', 'Dead.'),
      new KafkaFailure('fenced', 'Fenced.'),
    ])
    const { lane, ended, outbox, topicId, status } = await startLane(t, kafka, { events: 2 })
    await kafka.until(4)
    await enqueueEvents(outbox.db, outbox.schema, newEvents(topicId, 1))
    lane.wake()
    await kafka.until(5)
    const page = '1 p1, 2 p2'
    assert.deepEqual(kafka.attempts, [
      `1: ${page}`,
      `1: ${page}`,
      `2: ${page}`,
      `3: ${page}`,
      '3: 3 p1',
    ])
    lane.stop()
    await ended
    const { delivered, failedAttempts, lastErrors } = await status()
    assert.deepEqual([delivered, failedAttempts], [3, 3])
    assert.deepEqual(
      lastErrors.map(({ message }) => message),
      ['Fenced.', 'Dead.', 'Not now.'],
    )
  })

  it('halves the page until a record that nobody names is alone, and sets that one aside', async (t) => {
    const poison = (): KafkaFailure => new KafkaFailure('poison', 'Too large.')
    const kafka = new ScriptedKafka([poison(), undefined, poison(), poison()])
    const { lane, ended, status } = await startLane(t, kafka, { events: 4 })
    await kafka.until(5)
    lane.stop()
    await ended
    assert.deepEqual(kafka.attempts, [
      '1: 1 p1, 2 p2, 3 p3, 4 p4',
      '1: 1 p1, 2 p2',
      '1: 3 p3, 4 p4',
      '1: 3 p3',
      '1: 4 p4',
    ])
    const { delivered, dead, queued } = await status()
    assert.deepEqual([delivered, dead, queued], [3, 1, 0])
  })

  it('sets named records aside and sends the others, in order', async (t) => {
    const named = new KafkaFailure('poison', 'Too large.', { poisonIndexes: [0, 2] })
    const kafka = new ScriptedKafka([named])
    const { lane, ended, status } = await startLane(t, kafka, { events: 4 })
    await kafka.until(3)
    lane.stop()
    await ended
    assert.deepEqual(kafka.attempts.slice(1), ['1: 2 p2', '1: 4 p4'])
    const { delivered, dead } = await status()
    assert.deepEqual([delivered, dead], [2, 2])
  })

  it('waits for a record that Kafka cannot take yet, where that is wanted, and loses none', async (t) => {
    const refused = (): KafkaFailure =>
      new KafkaFailure('poison', 'Too large.', { poisonIndexes: [1] })
    const again = (): KafkaFailure =>
      new KafkaFailure('poison', 'Too large.', { poisonIndexes: [0] })
    const kafka = new ScriptedKafka([refused(), undefined, again(), again()])
    const { status } = await startLane(t, kafka, { events: 3, undeliverable: 'wait' })
    await eventually(async () => (await status()).delivered === 3)
    assert.deepEqual(kafka.attempts, [
      '1: 1 p1, 2 p2, 3 p3',
      '1: 1 p1',
      '1: 2 p2, 3 p3',
      '1: 2 p2, 3 p3',
      '1: 2 p2, 3 p3',
    ])
    const { dead, lastErrors } = await status()
    assert.equal(dead, 0)
    assert.match(lastErrors[0]?.message ?? '', /^Too large\. The events behind it wait\.$/)
  })

  it('goes on after an error of the database: without checkpoints the page is sent again under the same numbers', async (t) => {
    const kafka = new ScriptedKafka([])
    let failures = 1
    const failing = ({ db }: Outbox): SqlTx => ({
      query: (text, values) => {
        if (text.includes('delivered = delivered +') && failures-- > 0) {
          throw new Error('terminating connection due to administrator command')
        }
        return db.query(text, values)
      },
    })
    const { lane, ended, status } = await startLane(t, kafka, {
      events: 2,
      db: failing,
      checkpoint: false,
    })
    await kafka.until(2)
    lane.stop()
    await ended
    assert.deepEqual(kafka.attempts, ['1: 1 p1, 2 p2', '1: 1 p1, 2 p2'])
    assert.equal((await status()).delivered, 2)
  })

  it('backs off whatever events come and however often the registry is read; a change ends the wait', async (t) => {
    t.mock.method(Math, 'random', () => 0.999)
    const kafka = new ScriptedKafka(Array.from({ length: 6 }, retriable))
    const { lane, status } = await startLane(t, kafka, { events: 1 })
    await kafka.until(6)
    // Six failures: more than three seconds of back-off.
    while ((await status()).failedAttempts < 6) await nextTurn()
    for (let times = 0; times < 20; times++) {
      lane.wake()
      lane.update({ ...destination, parameters: { ...destination.parameters } }, 0)
      await status()
    }
    assert.equal(kafka.attempts.length, 6)
    lane.update({ ...destination, includeEntryAction: true }, 0)
    await kafka.until(7)
  })

  it('ends the call under way when it is stopped or switched off, and counts no failure for that', async (t) => {
    const never = new Promise<void>(() => undefined)
    const kafka = new ScriptedKafka([never, never])
    const { lane, ended, status } = await startLane(t, kafka, { events: 1 })
    await kafka.until(1)
    assert.equal((await status()).inProcess, 1)
    lane.update({ ...destination, status: 'off' }, 0)
    await eventually(async () => (await status()).inProcess === 0)
    assert.equal((await status()).queued, 1)
    lane.update(destination, 0)
    await kafka.until(2)
    lane.stop()
    await ended
    assert.deepEqual(kafka.attempts, ['1: 1 p1', '2: 1 p1'])
    assert.ok(kafka.closes.includes(4711))
    const { failedAttempts, lastErrors } = await status()
    assert.deepEqual([failedAttempts, lastErrors], [0, []])
  })

  it('does not connect any more when it is stopped while it looks whether it has to', async (t) => {
    const kafka = new ScriptedKafka([])
    const looking = new Signal()
    let look: () => void = () => undefined
    const allowed = new Promise<void>((resolve) => {
      look = resolve
    })
    const { lane, ended } = await startLane(t, kafka, {
      events: 1,
      db: ({ db }) => ({
        query: async (text, values) => {
          looking.raise()
          await allowed
          return db.query(text, values)
        },
      }),
    })
    await looking.wait()
    lane.stop()
    look()
    await ended
    assert.equal(kafka.starts, 0)
  })

  it('ends when another node leads', async (t) => {
    let proceed: () => void = () => undefined
    const waiting = new Promise<void>((resolve) => {
      proceed = resolve
    })
    const kafka = new ScriptedKafka([waiting])
    const { ended, outbox, status } = await startLane(t, kafka, { events: 1 })
    await kafka.until(1)
    await outbox.pool.query(`update ${outbox.schema.destination} set epoch = epoch + 1`)
    proceed()
    await ended
    assert.equal((await status()).delivered, 0)
  })
})
