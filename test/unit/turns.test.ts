import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { Turns } from '../../src/turns.ts'

describe('Turns', () => {
  it('run work one after the other, also after a failure', async () => {
    const turns = new Turns()
    const events: string[] = []
    let finish: () => void = () => undefined
    const first = turns.take(async () => {
      events.push('first begins')
      await new Promise<void>((resolve) => {
        finish = resolve
      })
      events.push('first ends')
      throw new Error('no')
    })
    const second = turns.take(() => {
      events.push('second')
      return Promise.resolve(2)
    })
    await Promise.resolve()
    finish()
    await assert.rejects(first, /no/)
    assert.equal(await second, 2)
    assert.deepEqual(events, ['first begins', 'first ends', 'second'])
  })

  it('begin nothing more when they are abandoned', async () => {
    const turns = new Turns()
    const abandoned = new AbortController()
    let end: () => void = () => undefined
    const hanging = turns.take(
      () => new Promise<void>((resolve) => (end = resolve)),
      abandoned.signal,
    )
    const events: string[] = []
    const behind = turns.take(() => Promise.resolve(events.push('behind')), abandoned.signal)
    await Promise.resolve()
    abandoned.abort(new Error('It hangs.'))
    await assert.rejects(hanging, /It hangs/)
    await assert.rejects(behind, /It hangs/)
    end()
    await turns.ended()
    assert.deepEqual(events, [])
  })

  it('tell when everything has ended, without its failures', async () => {
    const turns = new Turns()
    await turns.ended()
    const failing = turns.take(() => Promise.reject(new Error('no')))
    failing.catch(() => undefined)
    await turns.ended()
    await assert.rejects(failing, /no/)
  })
})
