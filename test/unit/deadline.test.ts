import assert from 'node:assert/strict'
import { once } from 'node:events'
import { describe, it } from 'node:test'
import { deadline, endsWithin } from '../../src/deadline.ts'

const aMinuteMs = 60_000

describe('deadline', () => {
  it('comes after its time', async () => {
    const { signal } = deadline(1, new AbortController().signal)
    await once(signal, 'abort')
    assert.equal((signal.reason as DOMException).name, 'TimeoutError')
  })

  it('comes with the other signal, also with one that was aborted before', () => {
    const stopping = new AbortController()
    const before = deadline(aMinuteMs, stopping.signal)
    const reason = new Error('stopped')
    stopping.abort(reason)
    const after = deadline(aMinuteMs, stopping.signal)
    for (const { signal, dispose } of [before, after]) {
      assert.equal(signal.reason, reason)
      dispose()
    }
  })

  it('does not come once it is disposed of', () => {
    const stopping = new AbortController()
    const { signal, dispose } = deadline(aMinuteMs, stopping.signal)
    dispose()
    stopping.abort()
    assert.equal(signal.aborted, false)
  })
})

describe('endsWithin', () => {
  it('tells work that ends from work that goes on', async () => {
    assert.equal(await endsWithin(Promise.resolve(), aMinuteMs), true)
    assert.equal(await endsWithin(new Promise(() => undefined), 1), false)
  })

  it('rejects as the work does', async () => {
    await assert.rejects(endsWithin(Promise.reject(new Error('refused')), aMinuteMs), /refused/)
  })
})
