import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { setImmediate as nextTurn } from 'node:timers/promises'
import { BlockingCalls, type BlockingCallKind } from '../../../src/kafka/blocking-calls.ts'

class Calls {
  readonly started: string[] = []
  readonly #calls = new BlockingCalls(2)
  readonly #finish = new Map<string, { resolve: () => void; reject: (error: Error) => void }>()

  run(kind: BlockingCallKind, name: string): Promise<void> {
    return this.#calls.run(kind, async () => {
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
    const all = ['a', 'b', 'c', 'd'].map((name) => calls.run('transaction', name))
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
    const all = [
      calls.run('connect', 'c1'),
      calls.run('connect', 'c2'),
      calls.run('transaction', 't'),
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
})
