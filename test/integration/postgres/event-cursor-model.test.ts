import assert from 'node:assert/strict'
import { test } from 'node:test'
import * as fc from 'fast-check'
import { Client, type Pool } from 'pg'
import { fromPg } from '../../../src/host/sql-tx.ts'
import { countBacklogs } from '../../../src/outbox/backlog-count.ts'
import { cleanOutbox, deleteSettledEvents } from '../../../src/outbox/cleanup.ts'
import { readDeliveryStatus } from '../../../src/outbox/counters.ts'
import type { DestinationRow } from '../../../src/outbox/destination-row.ts'
import { enqueueEvents } from '../../../src/outbox/enqueue.ts'
import type { EventCursor, Page } from '../../../src/outbox/event-cursor.ts'
import { migrateOutbox } from '../../../src/outbox/migrations.ts'
import { outboxSchema } from '../../../src/outbox/schema.ts'
import { testDatabase } from '../../helpers/postgres.ts'
import { addDestination, newEvent, takeOver, type Outbox } from './outbox-fixture.ts'

/** Set these to repeat or to prolong the runs. */
const seed = Number(process.env['CURSOR_MODEL_SEED'] ?? Date.now() % 1_000_000)
const runs = Number(process.env['CURSOR_MODEL_RUNS'] ?? 40)
const writerCount = 4
const resourceCount = 4
const destinationCount = 2
/** So few that the ring goes round several times in one run. */
const slotEvents = 6

/** What must be true, kept without a database. An event is `resource/version`. */
class Model {
  /** Events of the transactions that are open; a transaction without events holds a number only. */
  readonly open = new Map<number, string[]>()
  readonly committed = new Set<string>()
  readonly versions = Array.from({ length: resourceCount }, () => 0)
  readonly followers = Array.from({ length: destinationCount }, () => new Follower())

  /** A row lock: whoever writes a resource keeps it until the end of his transaction. */
  mayWrite(writer: number, resource: number): boolean {
    return [...this.open].every(
      ([other, events]) =>
        other === writer || !events.some((event) => event.startsWith(`${resource}/`)),
    )
  }

  write(writer: number, resource: number): number {
    const version = (this.versions[resource] ?? 0) + 1
    this.versions[resource] = version
    const events = this.open.get(writer) ?? []
    this.open.set(writer, [...events, `${resource}/${version}`])
    return version
  }

  end(writer: number, isCommitted: boolean): void {
    for (const event of this.open.get(writer) ?? []) {
      if (isCommitted) this.committed.add(event)
    }
    this.open.delete(writer)
  }
}

/** What one destination has seen. */
class Follower {
  readonly numbers = new Map<string, number>()
  readonly events = new Map<number, string>()
  settled = 0
  dead = 0
  /** Events of the page at hand; empty without a page. */
  page: string[] = []

  /** Every event has one number for ever, and every number one event. */
  see(page: Page, committed: ReadonlySet<string>): void {
    assert.equal(page.firstEventNumber, this.settled + 1)
    this.page = page.events.map(({ resourceId, versionId }) => `${resourceId}/${versionId ?? ''}`)
    for (const [index, event] of this.page.entries()) {
      const number = page.firstEventNumber + index
      assert.ok(committed.has(event), `${event} was never committed`)
      assert.equal(this.numbers.get(event) ?? number, number, `${event} has got another number`)
      assert.equal(this.events.get(number) ?? event, event, `${number} is another event now`)
      this.numbers.set(event, number)
      this.events.set(number, event)
    }
  }

  settle(count: number): void {
    this.settled += count
    this.page = this.page.slice(count)
  }

  /** The events in the order of their numbers; versions of a resource must rise. */
  check(committed: ReadonlySet<string>): void {
    const inOrder = [...this.events].toSorted(([a], [b]) => a - b)
    assert.deepEqual(
      inOrder.map(([number]) => number),
      Array.from({ length: committed.size }, (_, index) => index + 1),
    )
    const last = new Map<string, number>()
    for (const [, event] of inOrder) {
      const [resource = '', version = ''] = event.split('/')
      assert.ok(Number(version) > (last.get(resource) ?? 0), `${event} is out of order`)
      last.set(resource, Number(version))
    }
  }
}

/** The outbox, its writers' connections and the leaders' cursors. */
class Real {
  readonly outbox: Outbox
  readonly destinations: readonly DestinationRow[]
  readonly cursors: EventCursor[]
  readonly pages: (Page | undefined)[] = []
  readonly #writers: readonly Client[]

  constructor(
    outbox: Outbox,
    writers: readonly Client[],
    destinations: readonly DestinationRow[],
    cursors: EventCursor[],
  ) {
    this.outbox = outbox
    this.#writers = writers
    this.destinations = destinations
    this.cursors = cursors
  }

  async query(writer: number, text: string): Promise<void> {
    await this.#writer(writer).query(text)
  }

  async write(writer: number, resource: number, version: number): Promise<void> {
    const topicId = this.destinations[0]?.topicId ?? 0
    await enqueueEvents(fromPg(this.#writer(writer)), this.outbox.schema, [
      newEvent(topicId, String(resource), version),
    ])
  }

  cursor(follower: number): EventCursor {
    const cursor = this.cursors[follower]
    assert.ok(cursor)
    return cursor
  }

  /** As after a crash of the leader. */
  async takeOver(follower: number): Promise<EventCursor> {
    const cursor = await takeOver(this.outbox, this.destinations[follower]?.destinationId ?? 0)
    this.cursors[follower] = cursor
    this.pages[follower] = undefined
    return cursor
  }

  #writer(writer: number): Client {
    const client = this.#writers[writer]
    assert.ok(client)
    return client
  }
}

type Step = fc.AsyncCommand<Model, Real>

/** A step that always can be taken, unless `isPossible` says otherwise. */
function step(
  name: string,
  run: (model: Model, real: Real) => Promise<void>,
  isPossible: (model: Model) => boolean = () => true,
): Step {
  return { check: isPossible, run, toString: () => name }
}

const begin = (writer: number): Step =>
  step(
    `${writer} begins`,
    async (model, real) => {
      await real.query(writer, 'begin')
      await real.query(writer, 'select pg_current_xact_id()')
      model.open.set(writer, [])
    },
    (model) => !model.open.has(writer),
  )

const write = (writer: number, resource: number): Step =>
  step(
    `${writer} writes ${resource}`,
    async (model, real) => {
      if (!model.open.has(writer)) await real.query(writer, 'begin')
      await real.write(writer, resource, model.write(writer, resource))
    },
    (model) => model.mayWrite(writer, resource),
  )

const end = (writer: number, isCommitted: boolean): Step =>
  step(
    `${writer} ${isCommitted ? 'commits' : 'rolls back'}`,
    async (model, real) => {
      await real.query(writer, isCommitted ? 'commit' : 'rollback')
      model.end(writer, isCommitted)
    },
    (model) => model.open.has(writer),
  )

const writeAlone = (writer: number, resource: number, count: number): Step =>
  step(
    `${writer} writes ${resource} ${count} times and commits each time`,
    async (model, real) => {
      for (let time = 0; time < count; time++) {
        await real.query(writer, 'begin')
        await real.write(writer, resource, model.write(writer, resource))
        await real.query(writer, 'commit')
        model.end(writer, true)
      }
    },
    (model) => !model.open.has(writer) && model.mayWrite(writer, resource),
  )

async function read(
  model: Model,
  real: Real,
  follower: number,
  maxEvents: number,
): Promise<Page | undefined> {
  const seen = model.followers[follower]
  assert.ok(seen)
  const page = await real.cursor(follower).nextPage(maxEvents, 1e9)
  real.pages[follower] = page
  if (page) seen.see(page, model.committed)
  else assert.equal(seen.settled, model.committed.size, 'nothing was read although events wait')
  return page
}

const readPage = (follower: number, maxEvents: number): Step =>
  step(`${follower} reads ${maxEvents}`, async (model, real) => {
    await read(model, real, follower, maxEvents)
  })

const readAhead = (follower: number, maxEvents: number): Step =>
  step(`${follower} reads ${maxEvents} ahead`, async (_model, real) => {
    const page = real.pages[follower]
    if (page) await real.cursor(follower).readAhead(page, maxEvents, 1e9)
  })

const acknowledge = (follower: number, part: number): Step =>
  step(
    `${follower} acknowledges ${part}`,
    async (model, real) => {
      const [seen, page] = [model.followers[follower], real.pages[follower]]
      assert.ok(seen && page)
      const count = Math.min(part, seen.page.length)
      await real.cursor(follower).acknowledge(page, count)
      seen.settle(count)
      if (seen.page.length === 0) real.pages[follower] = undefined
    },
    (model) => (model.followers[follower]?.page.length ?? 0) > 0,
  )

const setAside = (follower: number): Step =>
  step(
    `${follower} sets one aside`,
    async (model, real) => {
      const [seen, page] = [model.followers[follower], real.pages[follower]]
      assert.ok(seen && page)
      await real.cursor(follower).deadLetter(page, 0, 'too large')
      seen.settle(1)
      seen.dead++
      if (seen.page.length === 0) real.pages[follower] = undefined
    },
    (model) => (model.followers[follower]?.page.length ?? 0) > 0,
  )

const crash = (follower: number): Step =>
  step(`the leader of ${follower} crashes`, async (model, real) => {
    await real.takeOver(follower)
    const seen = model.followers[follower]
    if (seen) seen.page = []
  })

/** Kafka has the page, PostgreSQL does not know; the next leader does not send it again. */
const crashAfterCommit = (follower: number, part: number): Step =>
  step(
    `the leader of ${follower} crashes after Kafka's commit of ${part}`,
    async (model, real) => {
      const seen = model.followers[follower]
      assert.ok(seen)
      const count = Math.min(part, seen.page.length)
      const checkpoint = real.cursor(follower).checkpoint(count)
      const next = await real.takeOver(follower)
      assert.equal(await next.settleCheckpoint(checkpoint), count)
      assert.equal(
        await next.settleCheckpoint(checkpoint),
        0,
        'the same checkpoint settles nothing more',
      )
      seen.settle(count)
      seen.page = []
    },
    (model) => (model.followers[follower]?.page.length ?? 0) > 0,
  )

const rest = (follower: number): Step =>
  step(`${follower} rests`, async (model, real) => {
    if ((await real.cursor(follower).isDrained()) && real.pages[follower] === undefined) {
      assert.equal(model.followers[follower]?.settled, model.committed.size)
      await real.cursor(follower).rest()
    }
  })

const clean = step('the janitor cleans', async (_model, real) => {
  await cleanOutbox(real.outbox.db, real.outbox.schema)
})

const deleteSettled = step('the janitor deletes', async (_model, real) => {
  await deleteSettledEvents(real.outbox.db, real.outbox.schema, 0)
})

const count = step('the janitor counts', async (_model, real) => {
  await countBacklogs(real.outbox.db, real.outbox.schema, { minEvents: 3 })
})

const status = (follower: number): Step =>
  step(`$status of ${follower}`, async (model, real) => {
    const seen = model.followers[follower]
    assert.ok(seen)
    const { db, schema } = real.outbox
    const told = await readDeliveryStatus(db, schema, real.destinations[follower]?.reference ?? '')
    assert.ok(told)
    assert.deepEqual(
      [told.delivered, told.dead, told.queued + told.inProcess],
      [seen.settled - seen.dead, seen.dead, model.committed.size - seen.settled],
    )
  })

const writer = fc.nat({ max: writerCount - 1 })
const resource = fc.nat({ max: resourceCount - 1 })
const follower = fc.nat({ max: destinationCount - 1 })
const few = fc.integer({ min: 1, max: 5 })

const steps = fc.commands(
  [
    fc.tuple(writer, resource).map(([w, r]) => write(w, r)),
    fc.tuple(writer, resource, few).map(([w, r, n]) => writeAlone(w, r, n)),
    writer.map(begin),
    fc.tuple(writer, fc.boolean()).map(([w, isCommitted]) => end(w, isCommitted)),
    fc.tuple(writer, fc.constant(true)).map(([w, isCommitted]) => end(w, isCommitted)),
    fc.tuple(follower, few).map(([f, n]) => readPage(f, n)),
    fc.tuple(follower, few).map(([f, n]) => readAhead(f, n)),
    fc.tuple(follower, few).map(([f, n]) => acknowledge(f, n)),
    fc.tuple(follower, fc.constant(5)).map(([f, n]) => acknowledge(f, n)),
    follower.map(setAside),
    follower.map(crash),
    fc.tuple(follower, few).map(([f, n]) => crashAfterCommit(f, n)),
    follower.map(rest),
    follower.map(status),
    fc.constantFrom(clean, deleteSettled, count),
  ],
  { maxCommands: 400, size: 'max' },
)

async function newOutbox(pool: Pool, connectionString: string, run: number): Promise<Outbox> {
  const schema = outboxSchema(`run_${run}`, { slotEvents })
  await migrateOutbox(pool, schema)
  return { pool, connectionString, db: fromPg(pool), schema }
}

test('a cursor agrees with the model whatever writers, leaders and the janitor do, in any order', async (t) => {
  const { pool, connectionString } = await testDatabase(t)
  const writers = Array.from({ length: writerCount }, () => new Client({ connectionString }))
  for (const client of writers) {
    client.on('error', () => undefined)
    await client.connect()
  }
  t.after(() => Promise.all(writers.map((client) => client.end())))
  let run = 0
  let events = 0
  await fc.assert(
    fc.asyncProperty(steps, async (commands) => {
      const outbox = await newOutbox(pool, connectionString, run++)
      const destinations: DestinationRow[] = []
      const cursors: EventCursor[] = []
      for (let index = 0; index < destinationCount; index++) {
        const destination = await addDestination(outbox, `d${index}`)
        destinations.push(destination)
        cursors.push(await takeOver(outbox, destination.destinationId))
      }
      const model = new Model()
      const real = new Real(outbox, writers, destinations, cursors)
      try {
        await fc.asyncModelRun(() => ({ model, real }), commands)
        for (const writerIndex of model.open.keys()) {
          await real.query(writerIndex, 'commit')
          model.end(writerIndex, true)
        }
        for (const [index, seen] of model.followers.entries()) {
          for (
            let page = await read(model, real, index, 3);
            page;
            page = await read(model, real, index, 3)
          ) {
            await real.cursor(index).acknowledge(page)
            seen.settle(page.events.length)
          }
          seen.check(model.committed)
          await status(index).run(model, real)
        }
        events += model.committed.size
      } finally {
        for (const client of writers) await client.query('rollback')
        await pool.query(`drop schema ${outbox.schema.quotedName} cascade`)
      }
    }),
    { seed, numRuns: runs, endOnFailure: process.env['CURSOR_MODEL_SHRINK'] === undefined },
  )
  t.diagnostic(`CURSOR_MODEL_SEED=${seed} CURSOR_MODEL_RUNS=${runs}: ${events} events`)
})
