import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import type { FhirHost, FhirResource, PastChange } from '../../../src/host/types.ts'
import { replayHistory, type ReplayOptions } from '../../../src/triggers/replay-history.ts'
import { parseSubscriptionTopic } from '../../../src/triggers/subscription-topic.ts'

function topicOf(fhirPathCriteria: string, more: object = {}) {
  return parseSubscriptionTopic({
    resourceType: 'AidboxSubscriptionTopic',
    id: 't',
    url: 't',
    status: 'active',
    trigger: [{ resource: 'Resource', fhirPathCriteria }],
    ...more,
  })
}

function created(n: number, elements: object = {}, resourceType = 'Observation'): PastChange {
  const current: FhirResource = { resourceType, id: `o${n}`, ...elements }
  return {
    interaction: 'create',
    resourceType,
    id: `o${n}`,
    versionId: '1',
    at: new Date(Date.UTC(2026, 0, 1, 0, 0, 1000 - n)),
    current,
  }
}

/** Notes how far it was read, and that it was closed. */
class History {
  read = 0
  isClosed = false
  readonly #changes: readonly PastChange[]
  readonly #before: (n: number) => Promise<void> | void

  constructor(
    changes: readonly PastChange[],
    before: (n: number) => Promise<void> | void = () => undefined,
  ) {
    this.#changes = changes
    this.#before = before
  }

  async *[Symbol.asyncIterator](): AsyncGenerator<PastChange> {
    try {
      for (const [n, change] of this.#changes.entries()) {
        await this.#before(n)
        this.read++
        yield change
      }
    } finally {
      this.isClosed = true
    }
  }
}

const options: ReplayOptions = {
  maxChanges: 1000,
  maxSamples: 10,
  signal: new AbortController().signal,
  read: () => assert.fail('nothing is to be read'),
  now: () => 0,
}

const statuses = (count: number) =>
  Array.from({ length: count }, (_, n) => created(n, { status: n % 3 === 0 ? 'final' : 'draft' }))

describe('replayHistory', () => {
  it('counts, names samples, and adds up the cost', async () => {
    const history = new History([
      created(0, { status: 'final' }),
      created(1, { status: 'draft' }),
      created(2, { status: 'final', note: [{ text: 'a' }, { text: 'b' }] }),
      created(3, { status: 'final', note: [{ text: 'b' }] }),
      created(4, { status: 'final', note: [{ text: 'b' }, { text: 'b' }] }),
    ])
    const { steps, ...replay } = await replayHistory(
      topicOf("status = 'final' and note.text > 'a'"),
      history,
      { ...options, maxSamples: 1 },
    )
    assert.deepEqual(replay, {
      examined: 5,
      fired: 1,
      undecided: 2,
      // The index leaves out the second one.
      evaluations: 4,
      referencesRead: 0,
      samples: [
        { reference: 'Observation/o3/_history/1', interaction: 'create', at: created(3).at },
        {
          reference: 'Observation/o2/_history/1',
          interaction: 'create',
          at: created(2).at,
          error: 'There are several items where one is expected. (near line 1, column 34)',
        },
      ],
      errors: [
        {
          message: 'There are several items where one is expected. (near line 1, column 34)',
          count: 2,
        },
      ],
      newest: created(0).at,
      oldest: created(4).at,
    })
    assert.ok(steps > 0)
    assert.ok(history.isClosed)
  })

  it('leaves undecided what needs a version that the history does not have, as live matching does', async () => {
    const update = (n: number, more: object = {}): PastChange => ({
      ...created(n),
      interaction: 'update',
      ...more,
    })
    const { fired, undecided, errors } = await replayHistory(
      topicOf('%previous.empty() or %previous.exists()'),
      new History([update(0), update(1, { previous: created(1).current }), created(2)]),
      options,
    )
    assert.deepEqual({ fired, undecided }, { fired: 2, undecided: 1 })
    assert.match(errors[0]?.message ?? '', /needs the version before this change/)
  })

  it('passes over topics and destinations, as live matching does', async () => {
    const changes = ['AidboxSubscriptionTopic', 'AidboxTopicDestination', 'Patient']
    const { examined, fired } = await replayHistory(
      topicOf('true'),
      new History(changes.map((type, n) => created(n, {}, type))),
      options,
    )
    assert.deepEqual({ examined, fired }, { examined: 1, fired: 1 })
  })

  for (const [count, cut] of [
    [6, undefined],
    [7, undefined],
    [8, 'changes'],
    [300, 'changes'],
  ] as const) {
    it(`${count} changes under a limit of 7: ${cut ?? 'all'}`, async () => {
      const history = new History(statuses(count))
      const replay = await replayHistory(topicOf("status = 'final'"), history, {
        ...options,
        maxChanges: 7,
      })
      assert.equal(replay.examined, Math.min(count, 7))
      assert.equal(replay.cut, cut)
      assert.ok(history.read <= 8)
      assert.ok(history.isClosed)
    })
  }

  it('ends with what it has when the signal is aborted, also while the history is silent', async () => {
    const controller = new AbortController()
    const silent = new Promise<void>(() => undefined)
    const history = new History(statuses(300), (n) => {
      if (n !== 150) return undefined
      setImmediate(() => {
        controller.abort()
      })
      return silent
    })
    const replay = await replayHistory(topicOf("status = 'final'"), history, {
      ...options,
      signal: controller.signal,
    })
    assert.equal(replay.cut, 'time')
    assert.ok(replay.examined >= 100 && replay.examined <= 150, String(replay.examined))
    assert.equal(replay.fired, Math.ceil(replay.examined / 3))
    assert.deepEqual(replay.oldest, created(replay.examined - 1).at)
  })

  it('an aborted signal is not answered by an error of the history, any other is', async () => {
    const controller = new AbortController()
    const failing = (abort: boolean) =>
      new History(statuses(3), (n) => {
        if (n < 2) return
        if (abort) controller.abort()
        throw new Error('the connection is gone')
      })
    await assert.rejects(
      replayHistory(topicOf('true'), failing(false), { ...options, signal: controller.signal }),
      /the connection is gone/,
    )
    const { cut } = await replayHistory(topicOf('true'), failing(true), {
      ...options,
      signal: controller.signal,
    })
    assert.equal(cut, 'time')
  })

  it('does not begin under a signal that is aborted', async () => {
    const history = new History(statuses(3))
    const signal = AbortSignal.abort()
    const { examined, cut } = await replayHistory(topicOf('true'), history, { ...options, signal })
    assert.deepEqual({ examined, cut }, { examined: 0, cut: 'time' })
  })

  it('gives the process its turn again and again, and slow changes get small slices', async () => {
    let clockMs = 0
    let turns = 0
    const turn = (): void => {
      turns++
      if (!isOver) setImmediate(turn)
    }
    let isOver = false
    setImmediate(turn)
    const { examined } = await replayHistory(
      topicOf("value.ofType(Quantity).value > 10 and status != 'x'"),
      new History(statuses(64)),
      // Each look at the clock is 6 ms later.
      { ...options, now: () => (clockMs += 6) },
    )
    isOver = true
    assert.equal(examined, 64)
    assert.ok(turns >= 30, `${turns} turns`)
  })

  it('reads what a slice refers to at once, as it is now', async () => {
    const reads: number[] = []
    const read: FhirHost['read'] = (references) => {
      reads.push(references.length)
      return Promise.resolve(
        new Map(
          references.map((key) => [key, { resourceType: 'Patient', active: key !== 'Patient/p7' }]),
        ),
      )
    }
    const changes = Array.from({ length: 100 }, (_, n) =>
      created(n, { subject: { reference: `Patient/p${n % 10}` } }),
    )
    const replay = await replayHistory(topicOf('subject.resolve().active'), new History(changes), {
      ...options,
      read,
    })
    assert.equal(replay.fired, 90)
    assert.equal(
      replay.referencesRead,
      reads.reduce((sum, count) => sum + count),
    )
    assert.ok(reads.length < 15, `${reads.length} reads`)
  })

  it('counts changes of the organization of the topic, and cannot decide those whose organization is unknown', async () => {
    const extension = (reference: string) => ({
      extension: [
        { url: 'https://aidbox.app/tenant-organization-id', valueReference: { reference } },
      ],
    })
    const read: FhirHost['read'] = (references) => {
      if (references.includes('Organization/broken')) return Promise.reject(new TypeError('no'))
      const partOf = { reference: 'Organization/top' }
      return Promise.resolve(
        new Map(references.map((key) => [key, { resourceType: 'Organization', partOf }])),
      )
    }
    const of = (n: number, id: string, more: object = {}) =>
      created(n, { meta: extension(`Organization/${id}`), status: 'final', ...more })
    const several = { note: [{ text: 'a' }, { text: 'b' }] }
    const topic = topicOf("status = 'final' and (note.text > 'a').not()", {
      meta: extension('Organization/top'),
    })
    const slice = (...changes: PastChange[]) =>
      replayHistory(topic, new History(changes), { ...options, read })
    const inside = await slice(of(0, 'ward', { note: [{ text: 'a' }] }))
    assert.deepEqual([inside.fired, inside.undecided], [1, 0])
    const nowhere = await slice(created(1, { status: 'final', note: [{ text: 'a' }] }))
    assert.deepEqual([nowhere.fired, nowhere.undecided], [0, 0])
    const doubtful = await slice(
      of(2, 'ward', several),
      created(3, { status: 'final', ...several }),
    )
    assert.deepEqual([doubtful.fired, doubtful.undecided], [0, 1])
    const unknown = await slice(of(4, 'broken', { note: [{ text: 'a' }] }))
    assert.deepEqual([unknown.fired, unknown.undecided], [0, 1])
    assert.match(unknown.errors[0]?.message ?? '', /could not be read/)
  })

  it('keeps a bounded number of messages', async () => {
    const names = Array.from({ length: 40 }, (_, n) => `p${n}`)
    const read: FhirHost['read'] = (references) =>
      Promise.reject(Object.assign(new Error('no'), { code: `E${references[0]?.slice(9)}` }))
    const changes = names.map((name, n) =>
      created(n, { subject: { reference: `Patient/${name.toUpperCase()}` } }),
    )
    let clockMs = 0
    const { errors, undecided } = await replayHistory(
      topicOf('subject.resolve().active'),
      new History(changes),
      // Every slice is one change.
      { ...options, read, now: () => (clockMs += 200) },
    )
    assert.equal(undecided, 40)
    assert.equal(errors.length, 21)
    assert.deepEqual(errors[0], { message: 'Other errors.', count: 20 })
  })
})
