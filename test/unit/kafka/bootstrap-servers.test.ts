import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { allowedServers, bootstrapServers } from '../../../src/kafka/bootstrap-servers.ts'
import { parameterFaults } from '../../../src/kafka/parameter-faults.ts'
import { toProducerConfig } from '../../../src/kafka/producer-config.ts'

function isAllowed(patterns: readonly string[], text: string): boolean {
  const servers = bootstrapServers(text)
  assert.ok(servers, text)
  const allowed = allowedServers(patterns)
  return servers.every((server) => allowed(server))
}

describe('allowedBootstrapServers', () => {
  const cases: readonly {
    patterns: readonly string[]
    allowed: readonly string[]
    refused: readonly string[]
  }[] = [
    {
      patterns: ['kafka.example.org:9093'],
      allowed: ['kafka.example.org:9093', 'KAFKA.Example.ORG.:9093', 'kafka.example.org:09093'],
      refused: [
        'kafka.example.org:9092',
        'x.kafka.example.org:9093',
        'kafka.example.org.evil.test:9093',
        'kafka.example.org:9093,evil.test:9093',
        'kafkaXexample.org:9093',
      ],
    },
    {
      patterns: ['*.kafka.example.org:9093', '10.1.0.7:*'],
      allowed: ['b-1.kafka.example.org:9093', 'b-1.x.kafka.example.org:9093', '10.1.0.7:1'],
      refused: [
        'kafka.example.org:9093',
        'evilkafka.example.org:9093',
        '10.1.0.70:1',
        '10.1.0.7.evil.test:1',
      ],
    },
    {
      patterns: ['[::1]:9092', ' *:9093 '],
      allowed: ['[::1]:9092', '[0:0:0:0:0:0:0:1]:9092', 'anything:9093'],
      refused: ['[::2]:9092', '127.0.0.1:9092'],
    },
  ]
  for (const { patterns, allowed, refused } of cases) {
    it(patterns.join(), () => {
      for (const text of allowed) assert.equal(isAllowed(patterns, text), true, text)
      for (const text of refused) assert.equal(isAllowed(patterns, text), false, text)
    })
  }

  it('allows every server where it is not set', () => {
    assert.equal(allowedServers(undefined)({ host: 'evil.test', port: 1 }), true)
  })

  it('tells servers that it names from those that it leaves to whoever writes destinations', () => {
    const isNamed = (patterns: readonly string[] | undefined, text: string): boolean => {
      const [server] = bootstrapServers(text) ?? []
      return allowedServers(patterns)(server ?? assert.fail(text), 'by-name')
    }
    for (const patterns of [undefined, ['*:*'], ['*:9098'], ['another.example.org:*']]) {
      assert.equal(isNamed(patterns, 'kafka.example.org:9098'), false, String(patterns))
    }
    for (const pattern of ['kafka.example.org:9098', '*.example.org:*']) {
      assert.equal(isNamed(['*:*', pattern], 'Kafka.example.org:9098'), true, pattern)
      assert.equal(isNamed(['*:*', pattern], 'kafka.example.org.evil.test:9098'), false, pattern)
    }
  })

  for (const patterns of [
    [],
    [''],
    ['kafka'],
    ['kafka:0'],
    ['kafka:70000'],
    ['kafka.*.org:9092'],
    ['10.1.*:9092'],
    ['*.1.2:9092'],
    ['10.1.0.0/16:9092'],
    ['kafka:9092', '*.:9092'],
    ['*.[::1]:9092'],
    ['[:::]:9092'],
    ['a:1,b:2'],
  ]) {
    it(`refuses the patterns ${JSON.stringify(patterns)}`, () => {
      assert.throws(() => allowedServers(patterns), {
        code: 'KTD_INVALID_OPTION',
        message: /^allowedBootstrapServers /,
      })
    })
  }

  it('looks behind a protocol, which librdkafka does not get', () => {
    const values = { kafkaTopic: 't', bootstrapServers: 'PLAINTEXT://kafka.example.org:9093' }
    const of = (pattern: string): readonly unknown[] =>
      parameterFaults(values, undefined, allowedServers([pattern]))
    assert.deepEqual(of('kafka.example.org:9093'), [])
    assert.equal(of('plaintext:*').length, 1)
    const { global } = toProducerConfig(values, 'best-effort')
    assert.equal(global['bootstrap.servers'], 'kafka.example.org:9093')
  })

  it('is asked when the parameters are checked, and when a producer is built', () => {
    const values = { kafkaTopic: 't', bootstrapServers: 'kafka.example.org:9093, Evil.test:1' }
    const allowed = allowedServers(['kafka.example.org:9093'])
    const [fault, ...others] = parameterFaults(values, undefined, allowed)
    assert.deepEqual(others, [])
    assert.equal(fault?.parameter, 'bootstrapServers')
    assert.match(fault.message, /names evil\.test:1, which is not among/)
    for (const kind of ['best-effort', 'at-least-once'] as const) {
      assert.throws(() => toProducerConfig(values, kind, undefined, allowed), {
        code: 'KTD_INVALID_PARAMETER',
        message: fault.message,
      })
    }
  })
})
