import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { setImmediate } from 'node:timers/promises'
import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'
import { untilAborted } from '../../../src/triggers/until-aborted.ts'

class Numbers {
  isClosed = false
  readonly #count: number
  constructor(count: number) {
    this.#count = count
  }

  async *[Symbol.asyncIterator](): AsyncGenerator<{ n: number }> {
    try {
      for (let n = 0; n < this.#count; n++) {
        await setImmediate()
        yield { n }
      }
    } finally {
      this.isClosed = true
    }
  }
}

const never = new AbortController().signal

describe('untilAborted', () => {
  it('passes everything on, and closes the source at the end and after a break', async () => {
    for (const wanted of [10, 3]) {
      const source = new Numbers(10)
      const seen: number[] = []
      for await (const { n } of untilAborted(source, never)) if (seen.push(n) === wanted) break
      assert.equal(seen.length, wanted)
      assert.ok(source.isClosed)
    }
  })

  it('ends when the signal is aborted while the source is silent, and does not wait for it to close', async () => {
    const controller = new AbortController()
    const silent: AsyncIterable<never> = {
      [Symbol.asyncIterator]: () => ({
        next: () => {
          controller.abort()
          return new Promise(() => undefined)
        },
        return: () => new Promise(() => undefined),
      }),
    }
    for await (const item of untilAborted(silent, controller.signal)) assert.fail(String(item))
  })

  it('throws what the source throws, in next and in return', async () => {
    const failing = (at: 'next' | 'return'): AsyncIterable<number> => ({
      [Symbol.asyncIterator]: () => ({
        next: () =>
          at === 'next'
            ? Promise.reject(new Error('no next'))
            : Promise.resolve({ done: false, value: 1 }),
        return: () =>
          at === 'return'
            ? Promise.reject(new Error('no return'))
            : Promise.resolve({ done: true, value: undefined }),
      }),
    })
    for (const at of ['next', 'return'] as const) {
      await assert.rejects(
        (async () => {
          for await (const item of untilAborted(failing(at), never)) if (item === 1) break
        })(),
        { message: `no ${at}` },
      )
    }
  })

  it('holds nothing of what it has passed on', async () => {
    setFlagsFromString('--expose-gc')
    const collect = runInNewContext('gc') as () => void
    const passed: WeakRef<object>[] = []
    let alive = 0
    for await (const item of untilAborted(new Numbers(1000), never)) {
      passed.push(new WeakRef(item))
      if (passed.length < 1000) continue
      await setImmediate()
      collect()
      alive = passed.filter((each) => each.deref() !== undefined).length
    }
    assert.ok(alive < 10, `${alive} of 1,000 are still there`)
  })
})
