import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { JobPace } from '../../../src/delivery/jobs/job-pace.ts'
import { prepared } from '../../../src/delivery/jobs/job-work.ts'
import { LaneJobs, type JobTurn, type LaneJobsParts } from '../../../src/delivery/lane-jobs.ts'
import { Signal } from '../../../src/signal.ts'
import { silentLogger } from '../../../src/observability/logger.ts'
import type { JobPage } from '../../../src/outbox/job-page.ts'
import type { Job } from '../../../src/outbox/jobs.ts'
import { outboxSchema } from '../../../src/outbox/schema.ts'
import type { TopicDestination } from '../../../src/resources/topic-destination.ts'
import { noJobs } from '../../integration/delivery/no-jobs.ts'

const destination = { reference: 'AidboxTopicDestination/d' } as TopicDestination

const job: Job = {
  id: '1',
  destinationId: 1,
  kind: 'backfill',
  state: 'running',
  selection: {},
  maxPerSecond: 1000,
  position: '',
  total: undefined,
  sent: 0,
  failed: 0,
  passedOver: 0,
  error: undefined,
  createdAt: new Date(),
  endedAt: undefined,
}

describe('jobs of a lane', () => {
  it('read no faster than they may, also where nothing is selected', async () => {
    const clock = { ms: 5000 }
    const ready = new Signal()
    const read: number[] = []
    const settled: JobPage[] = []
    const parts = {
      db: {
        query: () => Promise.resolve({ rows: [{ ...job, max_per_second: 1000 }], rowCount: 1 }),
      },
      schema: outboxSchema(),
      destination,
      jobWork: {
        ...noJobs,
        backfill: {
          prepare: (_job, _destination, { maxEvents }) => {
            read.push(maxEvents)
            const none = { events: [], failed: 0, isLast: false }
            return Promise.resolve(
              prepared({ ...none, position: 'Patient/p', passedOver: maxEvents }),
            )
          },
        },
      },
      maxPageEvents: 1000,
      maxPageBytes: 1e6,
      logger: silentLogger,
    } as Partial<LaneJobsParts> as LaneJobsParts
    const jobs = new LaneJobs(parts, ready, () => clock.ms)
    const turn = {
      destination,
      cursor: {
        freeEventNumber: 1,
        jobPages: {
          settle: (page: JobPage) => {
            settled.push(page)
            return Promise.resolve(0)
          },
        },
      },
    } as unknown as JobTurn
    const takeTurn = async (): Promise<void> => {
      jobs.prepare(destination)
      assert.equal(await jobs.send(turn), false)
    }
    jobs.put([job])
    await ready.wait()
    jobs.prepare(destination)
    await ready.wait()
    await takeTurn()
    assert.deepEqual([read, settled.length], [[200], 1])
    // One page is read ahead, however often it is the job's turn.
    jobs.prepare(destination)
    await ready.wait()
    for (let ms = 0; ms < 200; ms++, clock.ms++) await takeTurn()
    assert.deepEqual([read, settled.length], [[200, 200], 1])
    assert.equal(jobs.dueInMs, 0)
    await takeTurn()
    assert.deepEqual([read.length, settled.length], [2, 2])
    assert.equal(jobs.dueInMs, 200)
  })
})

describe('the pace of a job', () => {
  it('makes up for a little of what it is behind', () => {
    const clock = { ms: 0 }
    const pace = new JobPace(() => clock.ms)
    assert.equal(pace.pageEvents(1000), 200)
    pace.afterPage(200, 1000, clock.ms)
    assert.deepEqual([pace.dueInMs, pace.isDue], [200, false])
    clock.ms = 300
    assert.equal(pace.pageEvents(1000), 300)
    clock.ms = 60_000
    assert.equal(pace.pageEvents(1000), 400)
    pace.afterPage(400, 1000, clock.ms)
    assert.equal(pace.dueInMs, 200)
  })

  it('lets one event through at the lowest rate', () => {
    const clock = { ms: 0 }
    const pace = new JobPace(() => clock.ms)
    assert.equal(pace.pageEvents(1), 1)
    pace.afterPage(1, 1, 0)
    assert.equal(pace.dueInMs, 1000)
    pace.wait(30)
    assert.equal(pace.dueInMs, 30)
  })
})
