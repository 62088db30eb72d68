import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { errorClassOf, nextAttemptMs, retryPolicyOf } from '../../../src/retry/retry-policy.ts'
import { hashOf, retryPartition } from '../../../src/retry/retry-partitions.ts'

const policy = retryPolicyOf('p', {
  attempts: 3,
  delays: ['1m', '5m', '15m'],
  jitter: 0.1,
  then: 'deadLetter',
  deadOn: ['EXPIRED'],
})
const minuteMs = 60_000

describe('nextAttemptMs', () => {
  const cases = [
    { name: 'the first delay', failedAttempts: 1, random: 0, dueMs: minuteMs },
    { name: 'the second delay', failedAttempts: 2, random: 0, dueMs: 5 * minuteMs },
    { name: 'jitter makes it shorter', failedAttempts: 3, random: 0.5, dueMs: 14.25 * minuteMs },
    { name: 'the attempts are over', failedAttempts: 4, random: 0, dueMs: undefined },
  ]
  for (const { name, failedAttempts, random, dueMs } of cases) {
    it(name, () => {
      const failed = { failedAttempts, firstSeenMs: 0, errorClass: 'X', nowMs: 0 }
      assert.equal(
        nextAttemptMs(policy, failed, () => random),
        dueMs,
      )
    })
  }

  it('deadOn ends at once', () => {
    const failed = { failedAttempts: 1, firstSeenMs: 0, errorClass: 'EXPIRED', nowMs: 0 }
    assert.equal(
      nextAttemptMs(policy, failed, () => 0),
      undefined,
    )
  })

  it('maxAge ends with the last attempt that is due in time, after the last delay again and again', () => {
    const aged = retryPolicyOf('p', { maxAge: '1m', delays: ['5s', '20s'], then: 'drop' })
    const dueAfter = (failedAttempts: number, nowMs: number): number | undefined =>
      nextAttemptMs(aged, { failedAttempts, firstSeenMs: 0, errorClass: 'X', nowMs }, () => 0)
    assert.equal(dueAfter(9, 40_000), 60_000)
    assert.equal(dueAfter(9, 40_001), undefined)
  })
})

it('retryPolicyOf refuses a policy that does not wait or end, or has no duration', () => {
  for (const entry of [
    { attempts: 1, then: 'drop' },
    { delays: ['1s'], then: 'drop' },
    { attempts: 1, delays: ['1s'] },
    { attempts: 1, delays: ['soon'], then: 'drop' },
  ] as const) {
    assert.throws(() => retryPolicyOf('p', entry), { code: 'KTD_TOPOLOGY' })
  }
})

describe('errorClassOf', () => {
  class TimedOut extends Error {}
  const cases: readonly (readonly [unknown, string])[] = [
    [Object.assign(new Error('secret'), { code: 'ETIMEDOUT' }), 'ETIMEDOUT'],
    [Object.assign(new Error('secret'), { code: 42 }), '42'],
    [new TimedOut('secret'), 'TimedOut'],
    [new RangeError('secret'), 'RangeError'],
    [new Error('secret'), 'Error'],
    ['secret', 'String'],
    [undefined, 'Object'],
    [Object.assign(new Error('x'), { code: `a b\n${'x'.repeat(200)}` }), `a_b_${'x'.repeat(96)}`],
  ]
  for (const [error, text] of cases) {
    it(text, () => {
      assert.equal(errorClassOf(error), text)
    })
  }
})

describe('retryPartition', () => {
  it('keeps lengths of delay apart, and uses every partition', () => {
    for (const partitions of [3, 4, 6, 7, 12]) {
      const used = [1, 2, 3].map(
        (failed) =>
          new Set(
            Array.from({ length: 50 }, (_, spread) =>
              retryPartition(policy, failed, partitions, spread),
            ),
          ),
      )
      const all = used.flatMap((set) => [...set])
      assert.equal(all.length, new Set(all).size)
      assert.equal(all.length, partitions)
      assert.ok(all.every((partition) => partition >= 0 && partition < partitions))
    }
  })

  it('puts neighbouring lengths together where there are fewer partitions', () => {
    const of = (partitions: number): number[] =>
      [1, 2, 3].map((failed) => retryPartition(policy, failed, partitions, 5))
    assert.deepEqual(of(1), [0, 0, 0])
    assert.deepEqual(of(2), [0, 0, 1])
    assert.deepEqual(of(3), [0, 1, 2])
  })

  it('treats equal delays as one length', () => {
    const same = retryPolicyOf('p', { attempts: 3, delays: ['1s', '2m', '2m'], then: 'drop' })
    assert.equal(retryPartition(same, 2, 2, 0), retryPartition(same, 3, 2, 0))
  })

  it('hashes bytes as FNV-1a does', () => {
    assert.equal(hashOf(Buffer.from('')), 0x811c9dc5)
    assert.equal(hashOf(Buffer.from('foobar')), 0xbf9cf968)
  })
})
