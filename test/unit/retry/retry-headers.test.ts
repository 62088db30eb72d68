import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { bytesOf, type SourceRecord } from '../../../src/retry/record.ts'
import { headersOf, stateOfMoved, stateOfNew } from '../../../src/retry/retry-headers.ts'

function recordWith(headers: readonly (readonly [string, Buffer | string])[]): SourceRecord {
  return {
    ...{ topic: 't', partition: 2, offset: 7, timestampMs: 1000, key: null, value: null },
    headers: headers.map(([name, value]) => [name, bytesOf(value)]),
  }
}

describe('headers of a record that waits', () => {
  const state = {
    original: { topic: 't', partition: 2, offset: 7, timestampMs: 1000 },
    failedAttempts: 2,
    firstSeenMs: 5000,
    lastAttemptMs: 6000,
    notBeforeMs: 7000,
    errorClass: 'ETIMEDOUT',
    group: 'g',
    redriveCount: 1,
    headers: [
      ['a', Buffer.from('1')],
      ['a', Buffer.from('2')],
      ['bytes', Buffer.from([0, 255])],
      ['nul', Buffer.from('a\0b')],
    ],
  } as const

  it('say again what was written, and are text', () => {
    const headers = headersOf(state)
    assert.deepEqual(stateOfMoved(recordWith(headers)), state)
    for (const [, value] of headers) assert.ok(!bytesOf(value).includes(0))
  })

  it('are replaced, not added to, at the next attempt', () => {
    const again = headersOf({ ...stateOfMoved(recordWith(headersOf(state))), failedAttempts: 3 })
    assert.equal(again.filter(([name]) => name === 'x-attempt').length, 1)
    assert.equal(again.length, headersOf(state).length)
  })

  it('count nothing on the topic itself, but that it was sent again', () => {
    const fresh = stateOfNew(recordWith(headersOf(state)))
    assert.deepEqual(
      [fresh.failedAttempts, fresh.notBeforeMs, fresh.redriveCount, fresh.group],
      [0, 0, 1, 'g'],
    )
    assert.deepEqual(stateOfNew(recordWith([['x-consumer-group', 'g']])).group, undefined)
  })

  it('of somebody else say nothing', () => {
    const headers = [
      ['x-attempt', 'many'],
      ['x-not-before', 'soon'],
      ['x-original-offset', '-1'],
    ] as const
    const found = stateOfMoved(recordWith(headers))
    assert.deepEqual(
      [found.failedAttempts, found.notBeforeMs, found.original],
      [0, 0, state.original],
    )
  })
})
