import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { remedyOf } from '../../../src/kafka/causes/remedies.ts'
import {
  causeNamed,
  causeOfCode,
  causeOfLog,
  causeOfTlsCode,
  kafkaCauses,
  type KafkaCauseName,
} from '../../../src/kafka/kafka-causes.ts'
import { kafkaParameters } from '../../../src/kafka/parameter-table.ts'
import { causeOfTopicState } from '../../../src/kafka/topic-state.ts'

const allNames = Object.keys(kafkaCauses) as KafkaCauseName[]
const rows = allNames.map((name) => [name, kafkaCauses[name]] as const)

describe('the table of causes', () => {
  for (const [name, row] of rows) {
    it(`${name} says one thing in whole sentences, and what to do`, () => {
      const context = { broker: 'b:9092', kafkaTopic: 't', transactionalId: 'i', detail: 'd' }
      for (const message of [causeNamed(name).message, causeNamed(name, context).message]) {
        assert.match(message, /^\S.*\.$/)
        assert.doesNotMatch(message, /undefined|\.\.|\s{2}|: \./)
      }
      assert.match(row.remedy, /^\S.*\.$/)
      for (const each of [{}, { broker: 'b:9092' }, { ...context, detail: undefined }, context]) {
        const { message } = causeNamed(name, each)
        assert.equal(remedyOf(message), row.remedy, message)
        assert.equal(remedyOf(`${message} The events behind it wait.`), row.remedy, message)
      }
      assert.ok(row.parameter in kafkaParameters)
    })
  }

  it('gives each code to one cause', () => {
    const codes = rows.flatMap(([, { codes: all = [] }]) => [...all])
    assert.equal(new Set(codes).size, codes.length)
    for (const [name, { codes: all = [] }] of rows) {
      for (const code of all) assert.equal(causeOfCode(code, 'text').name, name)
    }
  })

  it("says librdkafka's own words where it knows no better", () => {
    assert.equal(causeOfCode(-1234, 'something new').message, 'Kafka: something new (code -1234).')
    assert.equal(causeOfLog('Something new', 'b:1').message, 'Kafka broker b:1: Something new.')
    assert.equal(causeOfTlsCode('NO_SUCH_CODE', 'b:1'), undefined)
    assert.equal(remedyOf('Kafka: something new (code -1234).'), undefined)
  })

  it('tells whether a cause is of one topic alone', () => {
    const context = { kafkaTopic: 't', broker: 'b:1' }
    assert.equal(causeNamed('topic-unknown', context).kafkaTopic, 't')
    assert.equal(causeNamed('login-refused', context).kafkaTopic, undefined)
  })

  it('tells apart what can be wrong with the certificate of a broker', () => {
    const names = ['SELF_SIGNED_CERT_IN_CHAIN', 'CERT_HAS_EXPIRED', 'ERR_TLS_CERT_ALTNAME_INVALID']
    assert.deepEqual(
      names.map((code) => causeOfTlsCode(code, 'b:1')?.name),
      [
        'broker-certificate-untrusted',
        'broker-certificate-expired',
        'broker-certificate-of-another-host',
      ],
    )
  })
})

describe('causeOfTopicState', () => {
  const partition = (leader: number, isrs: number[]) => ({ id: 0, leader, replicas: [1, 2], isrs })
  const cases = [
    { says: 'topic-unknown', partitions: [] },
    { says: 'leader-unavailable', partitions: [partition(1, [1]), partition(-1, [])] },
    { says: 'records-not-acknowledged', partitions: [partition(1, [1, 2]), partition(2, [2])] },
  ] as const
  for (const { says, partitions } of cases) {
    it(says, () => {
      const metadata = { topics: [{ name: 't', partitions: [...partitions] }] }
      const { name, message } = causeOfTopicState('t', metadata)
      assert.equal(name, says)
      if (says === 'records-not-acknowledged') assert.match(message, /\(1 of 2 replicas in sync\)/)
    })
  }
})
