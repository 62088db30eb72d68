import assert from 'node:assert/strict'
import { describe, it, type TestContext } from 'node:test'
import { setImmediate as nextTurn } from 'node:timers/promises'
import { BlockingCalls, type BlockingCallKind } from '../../../src/kafka/blocking-calls.ts'
import { kafkaCodes } from '../../../src/kafka/kafka-error.ts'
import { NativeFailure } from '../../../src/kafka/native-failure.ts'

class Calls {
  readonly started: string[] = []
  nowMs = 0
  readonly #calls = new BlockingCalls(3, () => this.nowMs)
  readonly #finish = new Map<string, { resolve: () => void; reject: (error: Error) => void }>()

  run(
    kind: BlockingCallKind,
    name: string,
    cluster = 'one',
    calledOff?: AbortSignal,
  ): Promise<void> {
    const call = async (): Promise<void> => {
      this.started.push(name)
      await new Promise<void>((resolve, reject) => this.#finish.set(name, { resolve, reject }))
    }
    return this.#calls.run(kind, cluster, call, calledOff)
  }

  async finish(name: string, error?: Error): Promise<void> {
    if (error) this.#finish.get(name)?.reject(error)
    else this.#finish.get(name)?.resolve()
    await nextTurn()
  }

  /** One after the other; then nothing must be left of `all`. */
  async finishAll(all: readonly Promise<void>[], ...names: readonly string[]): Promise<void> {
    for (const name of names) await this.finish(name)
    await Promise.all(all)
  }

  /** A call that nothing is in the way of, and that is answered. */
  async answer(kind: BlockingCallKind, cluster: string): Promise<void> {
    const answered = this.run(kind, 'answered', cluster)
    await nextTurn()
    await this.finish('answered')
    await answered
    this.started.splice(this.started.indexOf('answered'), 1)
  }

  idle(): Promise<void> {
    return this.#calls.idle()
  }

  noteUnreachable(cluster: string): void {
    this.#calls.noteUnreachable(cluster)
  }

  /** A call that nothing is in the way of, and that fails. */
  async fail(kind: BlockingCallKind, cluster: string, error: Error): Promise<void> {
    const name = `failing ${kind}`
    const failing = assert.rejects(this.run(kind, name, cluster), error)
    await nextTurn()
    await this.finish(name, error)
    await failing
    this.started.pop()
  }
}

const failure = (code: number): NativeFailure =>
  new NativeFailure({ code, text: '', isFatal: false, isRetriable: true, requiresAbort: false })
const noAnswer = (): NativeFailure => failure(kafkaCodes.timedOut)

describe('BlockingCalls', () => {
  it('runs three at a time, in order, two of them of one cluster', async () => {
    const calls = new Calls()
    const all = ['a', 'b', 'c', 'd'].map((name) => calls.run('request', name))
    all.push(...['x', 'y'].map((name) => calls.run('request', name, 'other')))
    await nextTurn()
    assert.deepEqual(calls.started, ['a', 'b', 'x'])
    await calls.finish('b')
    assert.deepEqual(calls.started, ['a', 'b', 'x', 'c'])
    await calls.finish('x')
    assert.deepEqual(calls.started, ['a', 'b', 'x', 'c', 'y'])
    await calls.finishAll(all, 'a', 'c', 'd', 'y')
  })

  it('is idle when none runs, and none that waited', async () => {
    const calls = new Calls()
    await calls.idle()
    const all = [calls.run('end', 'first', 'dead'), calls.run('end', 'second', 'dead')]
    let isIdle = false
    const idle = calls.idle().finally(() => {
      isIdle = true
    })
    await nextTurn()
    await calls.finish('first')
    assert.deepEqual([calls.started, isIdle], [['first', 'second'], false])
    await calls.finishAll([...all, idle], 'second')
  })

  it('lets a client disconnect while two requests of its cluster hang', async () => {
    const calls = new Calls()
    const all = ['a', 'b', 'c'].map((name) => calls.run('request', name))
    all.push(calls.run('end', 'disconnect'))
    await nextTurn()
    assert.deepEqual(calls.started, ['a', 'b', 'disconnect'])
    await calls.finishAll(all, 'disconnect', 'a', 'b', 'c')
  })

  it('ends clients of clusters that do not answer one by one, beside one that does', async () => {
    const calls = new Calls()
    await calls.answer('request', 'healthy')
    calls.noteUnreachable('dead')
    const all = [
      calls.run('end', 'dead 1', 'dead'),
      calls.run('end', 'dead 2', 'dead'),
      calls.run('end', 'unknown', 'unknown'),
      calls.run('end', 'healthy', 'healthy'),
      calls.run('request', 'page', 'healthy'),
    ]
    await nextTurn()
    assert.deepEqual(calls.started, ['dead 1', 'healthy', 'page'])
    await calls.finish('dead 1')
    assert.deepEqual(calls.started, ['dead 1', 'healthy', 'page', 'dead 2'])
    await calls.finishAll(all, 'healthy', 'page', 'dead 2', 'unknown')
  })

  it('lets transactions pass first connects that wait', async () => {
    const calls = new Calls()
    const all = [
      calls.run('connect', 'c1', 'unknown 1'),
      calls.run('connect', 'c2', 'unknown 2'),
      calls.run('request', 't', 'healthy'),
    ]
    await nextTurn()
    assert.deepEqual(calls.started, ['c1', 't'])
    await calls.finish('t')
    assert.deepEqual(calls.started, ['c1', 't'])
    await calls.finish('c1')
    assert.deepEqual(calls.started, ['c1', 't', 'c2'])
    await calls.finish('c2')
    await Promise.all(all)
  })

  it('gives the place back after a failure', async () => {
    const calls = new Calls()
    const failing = calls.run('connect', 'a')
    const next = calls.run('connect', 'b')
    await nextTurn()
    const rejection = assert.rejects(failing, /no/)
    await calls.finish('a', new Error('no'))
    await rejection
    assert.deepEqual(calls.started, ['a', 'b'])
    await calls.finish('b')
    await next
  })

  it('runs one call at a time of those to silent clusters, however many there are', async () => {
    const calls = new Calls()
    for (const cluster of ['dead', 'hung']) {
      for (let times = 0; times < 2; times++) await calls.fail('request', cluster, noAnswer())
    }
    const all = [
      calls.run('request', 'dead 1', 'dead'),
      calls.run('request', 'dead 2', 'dead'),
      calls.run('connect', 'hung 1', 'hung'),
      calls.run('local', 'dead begin', 'dead'),
      calls.run('request', 'healthy', 'healthy'),
    ]
    await nextTurn()
    assert.deepEqual(calls.started, ['dead 1', 'dead begin', 'healthy'])
    for (const name of ['dead begin', 'healthy']) await calls.finish(name)
    assert.deepEqual(calls.started, ['dead 1', 'dead begin', 'healthy'])
    // An answer: the cluster is back.
    await calls.finish('dead 1')
    assert.deepEqual(calls.started, ['dead 1', 'dead begin', 'healthy', 'dead 2', 'hung 1'])
    await calls.finishAll(all, 'dead 2', 'hung 1')
  })

  it('forgets the cluster that was called longest ago when there are too many', () => {
    const calls = new BlockingCalls(3)
    calls.noteUnreachable('first')
    calls.noteUnreachable('second')
    for (let n = 0; n < 9998; n++) calls.noteUnreachable(`cluster ${n}`)
    calls.noteUnreachable('first')
    calls.noteUnreachable('last')
    assert.deepEqual(
      ['first', 'second', 'cluster 0', 'last'].map((cluster) => calls.isKnown(cluster)),
      [true, false, true, true],
    )
  })

  it('lets a new cluster, and one that has answered, connect beside silent ones', async () => {
    const calls = new Calls()
    await calls.fail('connect', 'dead', noAnswer())
    const known = calls.run('connect', 'known', 'healthy')
    await nextTurn()
    await calls.finish('known')
    await known
    const all = [
      calls.run('connect', 'dead 1', 'dead'),
      calls.run('connect', 'dead 2', 'dead'),
      calls.run('connect', 'new', 'new'),
      calls.run('connect', 'newer', 'newer'),
      calls.run('connect', 'again', 'healthy'),
    ]
    await nextTurn()
    assert.deepEqual(calls.started, ['known', 'dead 1', 'new', 'again'])
    await calls.finishAll(all, 'again', 'new', 'newer', 'dead 1', 'dead 2')
  })

  it('takes refusals for answers: a cluster that refuses does not stand in line with dead ones', async () => {
    const calls = new Calls()
    for (let times = 0; times < 3; times++) {
      await calls.fail('request', 'refusing', failure(kafkaCodes.messageTooLarge))
    }
    // An abort after a refused record never ends within its slice.
    await calls.fail('request', 'refusing', noAnswer())
    const all = [
      calls.run('connect', 'dead 1', 'dead'),
      calls.run('connect', 'dead 2', 'dead'),
      calls.run('request', 'abort', 'refusing'),
    ]
    await nextTurn()
    assert.deepEqual(calls.started, ['dead 1', 'abort'])
    await calls.finishAll(all, 'abort', 'dead 1', 'dead 2')
  })

  it('does not take a connect for an answer to requests', async () => {
    const calls = new Calls()
    for (let times = 0; times < 2; times++) await calls.fail('request', 'half-dead', noAnswer())
    const connecting = calls.run('connect', 'connect', 'half-dead')
    await nextTurn()
    await calls.finish('connect')
    await connecting
    const all = [
      calls.run('request', 'a', 'half-dead'),
      calls.run('request', 'b', 'half-dead'),
      calls.run('request', 'healthy', 'healthy'),
    ]
    await nextTurn()
    assert.deepEqual(calls.started, ['connect', 'a', 'healthy'])
    await calls.finishAll(all, 'healthy', 'a', 'b')
  })

  it('lets a call go that is called off before its turn, and does not end one that has begun', async () => {
    const calls = new Calls()
    const calledOff = new AbortController()
    const all = [calls.run('connect', 'begun', 'dead', calledOff.signal)]
    const waiting = calls.run('connect', 'waiting', 'dead', calledOff.signal)
    all.push(calls.run('connect', 'next', 'dead'))
    await nextTurn()
    const rejection = assert.rejects(waiting, /closed/)
    calledOff.abort(new Error('closed'))
    await rejection
    await assert.rejects(calls.run('local', 'late', 'dead', calledOff.signal), /closed/)
    await calls.finish('begun')
    await calls.finish('next')
    await Promise.all(all)
    assert.deepEqual(calls.started, ['begun', 'next'])
  })

  it('keeps a place free of checkpoints, of which each login has one', async () => {
    const calls = new Calls()
    const all = [
      calls.run('checkpoint', 'a', 'login 1'),
      calls.run('checkpoint', 'a too', 'login 1'),
      calls.run('checkpoint', 'b', 'login 2'),
      calls.run('checkpoint', 'c', 'login 3'),
      calls.run('request', 'commit', 'login 4'),
    ]
    await nextTurn()
    assert.deepEqual(calls.started, ['a', 'b', 'commit'])
    await calls.finish('commit')
    assert.deepEqual(calls.started, ['a', 'b', 'commit'])
    await calls.finish('b')
    assert.deepEqual(calls.started, ['a', 'b', 'commit', 'c'])
    await calls.finishAll(all, 'a', 'a too', 'c')
  })

  /** Moves the clock and the timers. */
  function clock(t: TestContext, calls: Calls): (ms: number) => void {
    t.mock.timers.enable({ apis: ['setTimeout'] })
    return (ms) => {
      calls.nowMs += ms
      t.mock.timers.tick(ms)
    }
  }

  it('lets checkpoints of clusters that answer pass those that hang', async (t) => {
    const calls = new Calls()
    const pass = clock(t, calls)
    const hanging = ['login 1', 'login 2'].map((login) => calls.run('checkpoint', login, login))
    await calls.answer('request', 'healthy')
    const all = [calls.run('checkpoint', 'checkpoint', 'healthy')]
    await nextTurn()
    pass(3000)
    await nextTurn()
    assert.deepEqual(calls.started, ['login 1', 'login 2'])
    // An answer from before they hung says nothing.
    await calls.answer('request', 'quiet')
    all.push(calls.run('checkpoint', 'too late', 'quiet'))
    pass(10_000)
    await calls.answer('request', 'healthy')
    assert.deepEqual(calls.started, ['login 1', 'login 2', 'checkpoint'])
    for (const name of ['checkpoint', 'login 1', 'login 2']) await calls.finish(name)
    assert.equal(calls.started.at(-1), 'too late')
    await calls.finish('too late')
    await Promise.all([...hanging, ...all])
  })

  it('begins a second checkpoint of a cluster that has answered since the first one hangs, and no third', async (t) => {
    const calls = new Calls()
    const pass = clock(t, calls)
    const all = ['hangs', 'second', 'third'].map((name) => calls.run('checkpoint', name))
    await nextTurn()
    await calls.answer('request', 'one')
    pass(3000)
    await nextTurn()
    assert.deepEqual(calls.started, ['hangs'])
    pass(1)
    await calls.answer('request', 'one')
    assert.deepEqual(calls.started, ['hangs', 'second'])
    pass(3000)
    await nextTurn()
    assert.deepEqual(calls.started, ['hangs', 'second'])
    // What needs no checkpoint goes on.
    all.push(calls.run('request', 'commit'))
    await nextTurn()
    assert.deepEqual(calls.started, ['hangs', 'second', 'commit'])
    await calls.finish('commit')
    assert.deepEqual(calls.started, ['hangs', 'second', 'commit'])
    await calls.finish('second')
    assert.deepEqual(calls.started, ['hangs', 'second', 'commit', 'third'])
    await calls.finishAll(all, 'third', 'hangs')
  })

  it('counts the cluster of a call that hangs as silent, and lets other silent ones have their turn', async (t) => {
    const calls = new Calls()
    const pass = clock(t, calls)
    await calls.fail('connect', 'dead', noAnswer())
    await calls.answer('request', 'hanging')
    const all = [calls.run('checkpoint', 'hangs', 'hanging')]
    await nextTurn()
    pass(3000)
    all.push(
      calls.run('request', 'abort', 'hanging'),
      calls.run('connect', 'connect', 'dead'),
      calls.run('checkpoint', 'checkpoint', 'dead'),
    )
    await nextTurn()
    assert.deepEqual(calls.started, ['hangs', 'abort'])
    await calls.finish('abort')
    assert.deepEqual(calls.started, ['hangs', 'abort', 'connect'])
    await calls.finish('hangs')
    await calls.finishAll(all, 'connect', 'checkpoint')
  })

  it('makes one look-up at a time, and no connect wait for it', async () => {
    const calls = new Calls()
    const all = [
      calls.run('lookup', 'name 1', 'host 1'),
      calls.run('lookup', 'name 2', 'host 2'),
      calls.run('connect', 'first', 'unknown'),
      calls.run('request', 'commit', 'healthy'),
    ]
    await nextTurn()
    assert.deepEqual(calls.started, ['name 1', 'first', 'commit'])
    await calls.finishAll(all, 'name 1', 'first', 'commit', 'name 2')
  })

  it('takes a slice of a connect for silence of a cluster that never answered only', async () => {
    const calls = new Calls()
    await calls.answer('request', 'slow')
    await calls.fail('connect', 'slow', noAnswer())
    await calls.fail('connect', 'new', noAnswer())
    const all = [calls.run('connect', 'silent', 'new'), calls.run('request', 'slow', 'slow')]
    await nextTurn()
    assert.deepEqual(calls.started, ['silent', 'slow'])
    await calls.finish('slow')
    calls.noteUnreachable('slow')
    all.push(calls.run('connect', 'unreachable', 'slow'))
    await nextTurn()
    assert.deepEqual(calls.started, ['silent', 'slow'])
    await calls.finishAll(all, 'silent', 'unreachable')
  })
})
