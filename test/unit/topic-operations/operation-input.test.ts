import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import type { ParametersParameter } from '@medplum/fhirtypes'
import { selectionOf } from '../../../src/destination-operations/selection-input.ts'
import { OperationInput } from '../../../src/topic-operations/operation-input.ts'

const names = ['all', 'fromEvent', 'toEvent', 'from', 'to', 'error']
const input = (...parameter: ParametersParameter[]): OperationInput =>
  new OperationInput({ resourceType: 'Parameters', parameter }, names)

/** The element that a refusal names. */
function refusedAt(read: () => unknown): string | undefined {
  try {
    read()
  } catch (error) {
    const { outcome } = error as { outcome: { issue: { expression: string[] }[] } }
    return outcome.issue[0]?.expression[0]
  }
  return undefined
}

const at = (name: string): string => `Parameters.parameter.where(name = '${name}')`

describe('the input of an operation', () => {
  it('takes numbers of events as answers have them', () => {
    const number = (parameter: object): number | undefined =>
      input({ name: 'fromEvent', ...parameter }).integer('fromEvent', 1, Number.MAX_SAFE_INTEGER)
    assert.equal(number({ valueInteger: 7 }), 7)
    assert.equal(number({ valueDecimal: 3_000_000_000 }), 3_000_000_000)
    for (const wrong of [{ valueDecimal: 1.5 }, { valueInteger: 0 }, { valueString: '7' }, {}]) {
      assert.equal(
        refusedAt(() => number(wrong)),
        at('fromEvent'),
      )
    }
  })

  it('takes time zones that there are', () => {
    const time = (valueDateTime: string) => input({ name: 'from', valueDateTime }).time('from')
    for (const zone of ['Z', '+14:00', '-13:59', '+05:30']) {
      assert.ok(time(`2026-11-26T10:00:00${zone}`), zone)
    }
    for (const zone of ['', '+14:01', '+15:00', '-99:99', '+05:60']) {
      assert.equal(
        refusedAt(() => time(`2026-11-26T10:00:00${zone}`)),
        at('from'),
        zone,
      )
    }
  })

  it('refuses a text that PostgreSQL cannot store', () => {
    const text = (valueString: string) => input({ name: 'error', valueString }).text('error')
    assert.equal(text('too large'), 'too large')
    assert.equal(
      refusedAt(() => text('a\0b')),
      at('error'),
    )
  })

  it('refuses what is wrong beside what would do', () => {
    const event: ParametersParameter = { name: 'fromEvent', valueInteger: 29 }
    assert.deepEqual(selectionOf(input(event), names), { fromEvent: 29 })
    assert.equal(
      refusedAt(() => selectionOf(input(event, { name: 'all', valueString: 'true' }), names)),
      at('all'),
    )
  })
})
