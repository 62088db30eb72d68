import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { Signal } from '../../src/signal.ts'

const farMs = 60_000

describe('Signal', () => {
  it('keeps a raise that came before the wait', async () => {
    const signal = new Signal()
    signal.raise()
    await signal.wait(farMs)
  })

  it('wakes the waiter and is down afterwards', async () => {
    const signal = new Signal()
    let woken = 0
    const waiting = signal.wait(farMs).then(() => woken++)
    signal.raise()
    await waiting
    await signal.wait(1)
    assert.equal(woken, 1)
  })

  it('counts several raises as one', async () => {
    const signal = new Signal()
    signal.raise()
    signal.raise()
    await signal.wait(farMs)
    const rest = signal.wait(farMs).then(() => 'raised')
    assert.equal(await Promise.race([rest, Promise.resolve('down')]), 'down')
    signal.raise()
    assert.equal(await rest, 'raised')
  })
})
