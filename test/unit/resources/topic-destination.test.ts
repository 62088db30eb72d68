import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import type { FhirResource } from '../../../src/host/types.ts'
import { loadSecretSource } from '../../../src/resources/secrets.ts'
import { parseTopicDestination } from '../../../src/resources/topic-destination.ts'
import { fixture, patched, type AcceptedCase, type RefusedCase } from './fixtures.ts'

const secrets = loadSecretSource()
const accepted = fixture<AcceptedCase>('accepted-destinations.json')

function resource(name: string): FhirResource {
  const found = accepted.find((each) => each.name === name)
  assert.ok(found)
  return found.resource
}

describe('parseTopicDestination', () => {
  it('fills in the defaults', () => {
    const stored = resource('at least once, as documented before 2604')
    assert.deepEqual(parseTopicDestination(stored, secrets), {
      reference: 'AidboxTopicDestination/kafka-destination',
      id: 'kafka-destination',
      topicUrl: 'http://example.org/FHIR/R5/SubscriptionTopic/QuestionnaireResponse-topic',
      kind: 'kafka-at-least-once',
      status: 'active',
      content: 'full-resource',
      includeEntryAction: false,
      includeVersionId: false,
      includeVersionIdInFocusReference: false,
      enableLogging: false,
      logLevel: 'info',
      kafkaTopic: 'forms',
      keyByResourceId: false,
      parameters: { kafkaTopic: 'forms', bootstrapServers: 'localhost:9092' },
    })
  })

  it('takes what is written', () => {
    const destination = parseTopicDestination(resource('every element'), secrets)
    const { parameters, ...rest } = destination
    assert.deepEqual(rest, {
      reference: 'AidboxTopicDestination/full',
      id: 'full',
      topicUrl: 'http://example.org/topic/forms',
      kind: 'kafka-at-least-once',
      status: 'off',
      content: 'empty',
      includeEntryAction: true,
      includeVersionId: true,
      includeVersionIdInFocusReference: true,
      enableLogging: true,
      logLevel: 'trace',
      kafkaTopic: 'forms',
      keyByResourceId: false,
    })
    assert.match(parameters.saslJaasConfig ?? '', /canary-7/)
  })

  it('reads values of every accepted type, in the order of the table', () => {
    const stored = resource(
      'best effort, as documented before 2604, in the types that other clients send',
    )
    const { parameters } = parseTopicDestination(stored, secrets)
    assert.equal(
      JSON.stringify(parameters),
      JSON.stringify({
        kafkaTopic: 'encounters',
        bootstrapServers: 'localhost:9092',
        compressionType: 'gzip',
        batchSize: 0,
        requestTimeoutMs: 30_000,
      }),
    )
  })

  it('puts the secret in the place of its reference, as it is now', () => {
    const stored = patched(resource('every element'), [
      {
        op: 'replace',
        path: '/parameter/4',
        value: {
          name: 'saslJaasConfig',
          _valueString: {
            extension: [
              { url: 'http://health-samurai.io/fhir/secret-reference', valueString: 'kafka-jaas' },
            ],
          },
        },
      },
    ])
    const login = (password: string): string =>
      `org.apache.kafka.common.security.plain.PlainLoginModule required username="u" password="${password}";`
    for (const password of ['canary-1', 'canary-2']) {
      const { parameters } = parseTopicDestination(stored, { resolve: () => login(password) })
      assert.equal(parameters.saslJaasConfig, login(password))
    }
    assert.throws(() => parseTopicDestination(stored, { resolve: () => 'canary' }), {
      code: 'KTD_INVALID_PARAMETER',
      expression: "AidboxTopicDestination.parameter.where(name='saslJaasConfig').value",
      message: /^(?!.*canary)/s,
    })
  })

  // A host that stores without asking for validation must not break delivery of the others.
  const structural = new Set([
    'unknown kind',
    'unknown content',
    'unknown status',
    'unknown log level',
    'missing topic',
    'missing kafkaTopic',
    'unknown parameter',
    'number as string',
    'negative batchSize',
    'illegal Kafka topic',
  ])
  const base = resource('at least once, keyed, as documented since 2604')
  const unusable = fixture<RefusedCase>('refused-destinations.json').filter(({ name }) =>
    structural.has(name),
  )
  assert.equal(unusable.length, structural.size)
  for (const { name, patch, issues } of unusable) {
    it(`says what is wrong: ${name}`, () => {
      assert.throws(() => parseTopicDestination(patched(base, patch), secrets), {
        code: 'KTD_INVALID_PARAMETER',
        expression: issues[0]?.expression?.[0],
      })
    })
  }
})
