import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { setImmediate as nextTurn } from 'node:timers/promises'
import { BlockingCalls, type BlockingCallKind } from '../../../src/kafka/blocking-calls.ts'

class Calls {
  readonly started: string[] = []
  readonly #calls = new BlockingCalls(2)
  readonly #finish = new Map<string, { resolve: () => void; reject: (error: Error) => void }>()

  run(kind: BlockingCallKind, name: string, cluster = 'one'): Promise<void> {
    return this.#calls.run(kind, cluster, async () => {
      this.started.push(name)
      await new Promise<void>((resolve, reject) => this.#finish.set(name, { resolve, reject }))
    })
  }

  async finish(name: string, error?: Error): Promise<void> {
    if (error) this.#finish.get(name)?.reject(error)
    else this.#finish.get(name)?.resolve()
    await nextTurn()
  }
}

describe('BlockingCalls', () => {
  it('runs two at a time, in order', async () => {
    const calls = new Calls()
    const all = ['a', 'b', 'c', 'd'].map((name) => calls.run('request', name))
    await nextTurn()
    assert.deepEqual(calls.started, ['a', 'b'])
    await calls.finish('b')
    assert.deepEqual(calls.started, ['a', 'b', 'c'])
    await calls.finish('a')
    await calls.finish('c')
    await calls.finish('d')
    await Promise.all(all)
  })

  it('lets transactions pass connects that wait', async () => {
    const calls = new Calls()
    const all = [calls.run('connect', 'c1'), calls.run('connect', 'c2'), calls.run('request', 't')]
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

  it('keeps one place for healthy clusters while every call to a dead one is slow', async () => {
    const calls = new Calls()
    const failing = calls.run('request', 'dead 1', 'dead')
    await nextTurn()
    const rejection = assert.rejects(failing, /no answer/)
    await calls.finish('dead 1', new Error('no answer'))
    await rejection
    const all = [
      calls.run('request', 'dead 2', 'dead'),
      calls.run('request', 'dead 3', 'dead'),
      calls.run('local', 'dead begin', 'dead'),
      calls.run('request', 'healthy', 'healthy'),
    ]
    await nextTurn()
    assert.deepEqual(calls.started, ['dead 1', 'dead 2', 'dead begin'])
    await calls.finish('dead begin')
    assert.deepEqual(calls.started, ['dead 1', 'dead 2', 'dead begin', 'healthy'])
    await calls.finish('healthy')
    // An answer: the cluster is back.
    await calls.finish('dead 2')
    await calls.finish('dead 3')
    await Promise.all(all)
  })

  it('lets a healthy connect pass those to dead clusters, which get their turn all the same', async () => {
    const calls = new Calls()
    const failing = calls.run('connect', 'dead 1', 'dead')
    await nextTurn()
    const all = [
      calls.run('connect', 'dead 2', 'dead'),
      calls.run('connect', 'dead 3', 'dead'),
      calls.run('connect', 'healthy', 'healthy'),
    ]
    const rejection = assert.rejects(failing, /refused/)
    await calls.finish('dead 1', new Error('refused'))
    await rejection
    assert.deepEqual(calls.started, ['dead 1', 'healthy'])
    await calls.finish('healthy')
    assert.deepEqual(calls.started, ['dead 1', 'healthy', 'dead 2'])
    const busy = ['a', 'b'].map((name) => calls.run('request', name, 'healthy'))
    await nextTurn()
    await calls.finish('a')
    await calls.finish('dead 2')
    assert.deepEqual(calls.started, ['dead 1', 'healthy', 'dead 2', 'a', 'b', 'dead 3'])
    await calls.finish('b')
    await calls.finish('dead 3')
    await Promise.all([...all, ...busy])
  })
})
