import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import type { KafkaRecord } from '../../../src/kafka/producer.ts'
import type { NativeError } from '../../../src/kafka/native-failure.ts'
import type { DeliveryFailure } from '../../../src/kafka/rdkafka-client.ts'
import {
  abortedFailure,
  refusedFailure,
  transactionVerdict,
} from '../../../src/kafka/transaction-failure.ts'

function native(code: number, flags: Partial<NativeError> = {}): NativeError {
  return {
    code,
    text: `text ${code}`,
    isFatal: false,
    isRetriable: false,
    requiresAbort: true,
    ...flags,
  }
}

function record(key: string, bytes = 10): KafkaRecord {
  return { kafkaTopic: 't', key, value: Buffer.alloc(bytes), headers: [] }
}

function reportOf({ kafkaTopic, key, value }: KafkaRecord, code: number): DeliveryFailure {
  return { error: native(code), key, valueBytes: value.byteLength, kafkaTopic }
}

describe('transactionVerdict', () => {
  const cases: readonly (readonly [error: NativeError, verdict: string])[] = [
    [native(-144, { isFatal: true }), 'fenced'],
    [native(48, { isFatal: true }), 'fatal'],
    [native(-150), 'fatal'],
    [native(-185, { isRetriable: true, requiresAbort: false }), 'again'],
    [native(-185), 'abort'],
    [native(1, { requiresAbort: false }), 'fatal'],
  ]
  for (const [error, verdict] of cases) {
    it(`${JSON.stringify(error)} -> ${verdict}`, () => {
      assert.equal(transactionVerdict(error), verdict)
    })
  }
})

describe('abortedFailure', () => {
  const page = [record('a'), record('b', 99), record('c')] as const

  it('names the record whose own report says so', () => {
    const { kind, poisonIndexes } = abortedFailure(native(45), page, [reportOf(page[1], 10)], 'id')
    assert.deepEqual({ kind, poisonIndexes }, { kind: 'poison', poisonIndexes: [1] })
  })

  it('names none of a refused batch', () => {
    const failed = page.map((each) => reportOf(each, 10))
    const { kind, poisonIndexes } = abortedFailure(native(10), page, failed, 'id')
    assert.deepEqual({ kind, poisonIndexes }, { kind: 'poison', poisonIndexes: [] })
  })

  it('names none of two records that look alike', () => {
    const twins = [record('a'), record('a')]
    const failed = [reportOf(record('a'), 10)]
    assert.deepEqual(abortedFailure(native(10), twins, failed, 'id').poisonIndexes, [])
  })

  for (const code of [10, 87, 45, -172]) {
    it(`takes a page-level ${code} for poison of an unknown record`, () => {
      const { kind, poisonIndexes } = abortedFailure(native(code), page, [], 'id')
      assert.deepEqual({ kind, poisonIndexes }, { kind: 'poison', poisonIndexes: [] })
    })
  }

  it('is sure about a single record only when the code is', () => {
    const one = [record('a')]
    assert.deepEqual(abortedFailure(native(10), one, [], 'id').poisonIndexes, [0])
    assert.equal(abortedFailure(native(45), one, [], 'id').kind, 'retriable')
    assert.equal(abortedFailure(native(-172), one, [], 'id').kind, 'retriable')
  })

  it('does not tell the state of a transaction for a cause', () => {
    assert.match(
      abortedFailure(native(-172), page, [], 'id').message,
      /has refused a record of a page/,
    )
    const named = abortedFailure(native(-172), page, [reportOf(page[0], 10)], 'id')
    assert.doesNotMatch(named.message, /has refused a record of a page/)
  })

  it('takes the cause from a report, and never from a purged record', () => {
    const failed = [reportOf(page[0], -152), reportOf(page[1], 29)]
    const { kind, message, kafkaCode } = abortedFailure(native(-149), page, failed, 'id')
    assert.deepEqual({ kind, kafkaCode }, { kind: 'retriable', kafkaCode: 29 })
    assert.match(message, /Topic authorization failed.*Kafka topic "t"/)
  })

  it('never takes authorisation, unknown topic or a lost broker for poison', () => {
    for (const code of [29, 3, -188, -195, -192, -185, 7, 19]) {
      assert.equal(abortedFailure(native(code), page, [], 'id').kind, 'retriable')
    }
  })
})

describe('refusedFailure', () => {
  it('names the refused record only when it can never be sent', () => {
    const page = [record('a'), record('b')]
    assert.deepEqual(refusedFailure(native(10), page, 1).poisonIndexes, [1])
    assert.equal(refusedFailure(native(-188), page, 1).kind, 'retriable')
    assert.deepEqual(refusedFailure(native(-188), page, 1).poisonIndexes, [])
  })
})
