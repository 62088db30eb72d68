import assert from 'node:assert/strict'
import { describe, it, type TestContext } from 'node:test'
import type { BestEffortEvent } from '../../../src/delivery/best-effort.ts'
import type { RegisteredDestination } from '../../../src/delivery/registered-destination.ts'
import type { SqlTx } from '../../../src/host/types.ts'
import { NotificationTail, type TailNews } from '../../../src/monitor/notification-tail.ts'
import { outboxSchema } from '../../../src/outbox/schema.ts'

const noDatabase: SqlTx = {
  query: () => Promise.reject(new Error('Nothing is asked for best effort.')),
}

function tailOf(destinations: number): {
  readonly tail: NotificationTail
  readonly send: (resourceId: string, destinationId?: number) => void
} {
  const rows = Array.from({ length: destinations }, (_, index): RegisteredDestination => ({
    row: {
      destinationId: index + 1,
      reference: `AidboxTopicDestination/d${index + 1}`,
      kind: 'kafka-best-effort',
      topicId: 1,
      topicUrl: 't',
      organization: '',
      sourceVersion: 0,
      moves: [],
      startedAt: new Date(0),
    },
    destination: undefined,
    fault: undefined,
  }))
  const registry = { destinations: new Map(rows.map((each) => [each.row.reference, each])) }
  const tail = new NotificationTail(noDatabase, outboxSchema(), registry)
  const send = (resourceId: string, destinationId = 1): void => {
    const event: BestEffortEvent = {
      destinationId,
      topicUrl: 't',
      eventId: resourceId,
      at: new Date(0),
      error: undefined,
      event: {
        topicId: 1,
        interaction: 'create',
        resourceType: 'Patient',
        resourceId,
        versionId: '1',
        body: '{}',
      },
    }
    tail.handedOver([event])
  }
  return { tail, send }
}

/** What a reader has got, and how to end it. */
function readerOf(tail: NotificationTail, after?: string) {
  const news: TailNews[] = []
  const end = tail.subscribe((each) => news.push(each), after)
  return {
    end,
    got: () => news.flatMap(({ entries }) => entries.map(({ resource }) => resource)),
    position: () => news.at(-1)?.position ?? '',
    isGap: () => news.some(({ isGap }) => isGap),
  }
}

function clock(t: TestContext): { pass: (ms: number) => void } {
  let nowMs = 0
  t.mock.method(performance, 'now', () => nowMs)
  return {
    pass: (ms) => {
      nowMs += ms
    },
  }
}

describe('the live tail', () => {
  it('begins with now, and names the destination of each event among many', () => {
    const { tail, send } = tailOf(1000)
    send('before')
    const reader = readerOf(tail)
    send('a', 1000)
    assert.deepEqual([reader.got(), reader.isGap()], [['Patient/a'], false])
    const named: string[] = []
    tail.subscribe(({ entries }) => named.push(...entries.map(({ destination }) => destination)))
    send('b', 7)
    send('c', 2000)
    assert.deepEqual(named, ['AidboxTopicDestination/d7'])
  })

  it('goes on for the only reader, who comes again within ten seconds, without a gap', (t) => {
    const { pass } = clock(t)
    const { tail, send } = tailOf(1)
    const first = readerOf(tail)
    send('a')
    first.end()
    pass(9_999)
    send('b')
    const second = readerOf(tail, first.position())
    send('c')
    assert.deepEqual(second.got(), ['Patient/b', 'Patient/c'])
    assert.equal(second.isGap(), false)
    const other = readerOf(tail, first.position())
    assert.deepEqual(other.got(), ['Patient/b', 'Patient/c'])
  })

  it('says that something may be missing when nobody has watched for longer', async (t) => {
    const { pass } = clock(t)
    for (const looks of [false, true]) {
      const { tail, send } = tailOf(1)
      const first = readerOf(tail)
      send('a')
      first.end()
      pass(10_000)
      send('b')
      if (looks) await tail.look([])
      const second = readerOf(tail, first.position())
      send('c')
      assert.deepEqual([second.got(), second.isGap()], [['Patient/c'], true])
      const third = readerOf(tail, second.position())
      assert.deepEqual([third.got(), third.isGap()], [[], false])
    }
  })

  it('says so for what is more than it remembers, for another node and for nonsense', () => {
    const { tail, send } = tailOf(1)
    const watching = readerOf(tail)
    const start = watching.position()
    for (let index = 1; index <= 500; index++) send(String(index))
    assert.equal(readerOf(tail, start).isGap(), false)
    assert.equal(readerOf(tail, start).got().length, 500)
    send('501')
    const late = readerOf(tail, start)
    assert.deepEqual([late.got().length, late.got()[0], late.isGap()], [500, 'Patient/2', true])
    for (const after of [readerOf(tailOf(1).tail).position(), 'x', '.', `${start}x`, '-1']) {
      const reader = readerOf(tail, after)
      assert.deepEqual([reader.got(), reader.isGap()], [[], true], after)
    }
  })
})
