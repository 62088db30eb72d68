import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { literal, outboxSchema } from '../../../src/outbox/schema.ts'

describe('outboxSchema', () => {
  it('quotes every name', () => {
    const schema = outboxSchema(`a"b'c`)
    assert.equal(schema.event, `"a""b'c".event`)
    assert.equal(schema.slot(3), `"a""b'c".event_3`)
    assert.ok(schema.lastEventId.includes(`'"a""b''c".event_id_seq'::regclass`))
  })

  it('has a lock key of its own per name, within an int4', () => {
    const keys = ['a', 'b', 'topic_destination'].map((name) => outboxSchema(name).lockKey)
    assert.equal(new Set(keys).size, 3)
    assert.ok(keys.every((key) => Number.isInteger(key) && Math.abs(key) <= 2 ** 31))
    assert.equal(outboxSchema('a').lockKey, keys[0])
  })

  for (const name of ['', 'x'.repeat(64), 'ü'.repeat(32), 'pg_outbox', 'a\0b']) {
    it(`refuses ${JSON.stringify(name)}`, () => {
      assert.throws(() => outboxSchema(name), { code: 'KTD_INVALID_OPTION' })
    })
  }
})

describe('literal', () => {
  it('doubles quotes', () => {
    assert.equal(literal(`it's`), `'it''s'`)
  })
})
