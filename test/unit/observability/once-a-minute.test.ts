import assert from 'node:assert/strict'
import { it } from 'node:test'
import { OnceAMinute } from '../../../src/observability/once-a-minute.ts'

it('one line a minute passes for each key, with how much there was since the last one', () => {
  let nowMs = 5
  const lines = new OnceAMinute(() => nowMs)
  assert.equal(lines.pass('a'), 1)
  assert.equal(lines.pass('a', 4), undefined)
  assert.equal(lines.pass('b', 7), 7)
  nowMs += 59_999
  assert.equal(lines.pass('a'), undefined)
  nowMs += 1
  assert.equal(lines.pass('a', 2), 7)
  assert.equal(lines.pass('a'), undefined)
  nowMs += 60_000
  assert.equal(lines.pass('b'), 1)
})
