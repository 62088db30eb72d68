import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { LiveRates } from '../../../src/monitor/live-rates.ts'
import { sampleIntervalMs, Samples } from '../../../src/monitor/samples.ts'
import type { DestinationOverview } from '../../../src/outbox/destination-overview.ts'

const counted = (reference: string, delivered: number, more: object = {}): DestinationOverview =>
  // The other fields are not looked at.
  ({
    reference,
    delivered,
    failedAttempts: 0,
    lost: 0,
    queued: 0,
    inProcess: 0,
    ...more,
  }) as DestinationOverview

describe('samples of the last hour', () => {
  it('give rates between two of them, and minutes of sixty', () => {
    const samples = new Samples()
    for (let index = 0; index <= 8; index++) {
      samples.add(index * sampleIntervalMs, [
        counted('a', index * 150, { failedAttempts: index, queued: 2, inProcess: 1 }),
      ])
    }
    const { at, deliveredPerSecond, failedPerSecond, waiting } = samples.series('a')
    assert.equal(at.length, 9)
    assert.deepEqual(deliveredPerSecond, [null, 10, 10, 10, 10, 10, 10, 10, 10])
    assert.equal(failedPerSecond[1], 0.0667)
    assert.deepEqual(
      waiting,
      Array.from({ length: 9 }, () => 3),
    )
    const minutes = samples.lastHour('a', 8 * sampleIntervalMs)
    assert.equal(minutes.length, 60)
    assert.deepEqual(minutes.slice(-4), [null, null, 10, 10])
    assert.equal(samples.deliveredPerSecond('a'), 10)
  })

  it('end with their hour and with their destination, and begin anew with another one of the same name', () => {
    const samples = new Samples()
    for (let index = 0; index < 400; index++)
      samples.add(index * sampleIntervalMs, [counted('a', index)])
    assert.equal(samples.series('a').at.length, 241)
    samples.add(400 * sampleIntervalMs, [counted('a', 5)])
    assert.equal(samples.series('a').at.length, 1)
    samples.add(401 * sampleIntervalMs, [])
    assert.equal(samples.series('a').at.length, 0)
    assert.deepEqual(samples.series('unknown').at, [])
  })

  it('are kept of a thousand destinations', () => {
    const samples = new Samples()
    const all = Array.from({ length: 1001 }, (_each, index) => counted(String(index), 0))
    samples.add(0, all)
    assert.equal(samples.series('999').at.length, 1)
    assert.equal(samples.series('1000').at.length, 0)
  })

  it('are due after their interval', () => {
    const samples = new Samples()
    assert.ok(samples.isDue(0))
    samples.add(0, [])
    assert.ok(!samples.isDue(sampleIntervalMs / 2))
    assert.ok(samples.isDue(sampleIntervalMs))
  })
})

describe('live rates', () => {
  it('look back ten seconds', () => {
    const rates = new LiveRates()
    rates.add(0, [counted('a', 0)])
    assert.equal(rates.perSecond('a'), undefined)
    for (let second = 1; second <= 20; second++) {
      rates.add(second * 1000, [counted('a', second < 10 ? 0 : (second - 9) * 7)])
    }
    assert.equal(rates.perSecond('a'), 7)
    assert.equal(rates.perSecond('b'), undefined)
  })
})
