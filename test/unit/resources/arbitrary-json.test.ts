import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import * as fc from 'fast-check'
import type { FhirResource, ResourceTypeDefinition } from '../../../src/host/types.ts'
import {
  kafkaParameterNames,
  kafkaParameters,
  type KafkaParameterName,
} from '../../../src/kafka/parameter-table.ts'
import { loadSecretSource } from '../../../src/resources/secrets.ts'
import { subscriptionTopicType } from '../../../src/resources/subscription-topic-type.ts'
import { topicDestinationType } from '../../../src/resources/topic-destination-type.ts'
import { destinationTypeName, topicTypeName } from '../../../src/resources/type-names.ts'
import { issuesOf } from './fixtures.ts'

const json = fc.jsonValue({ maxDepth: 3 })

const parameter = fc.record(
  {
    name: fc.oneof(fc.constantFrom(...kafkaParameterNames), json),
    valueString: json,
    _valueString: fc.oneof(json, fc.record({ extension: json }, { requiredKeys: [] })),
    valueInteger: json,
    valueBoolean: json,
    extension: json,
  },
  { requiredKeys: [] },
)

const destination = fc.record(
  {
    resourceType: fc.constant(destinationTypeName),
    id: json,
    meta: fc.oneof(json, fc.record({ profile: json }, { requiredKeys: [] })),
    kind: fc.oneof(fc.constantFrom('kafka-best-effort', 'kafka-at-least-once'), json),
    topic: json,
    status: json,
    content: json,
    contained: json,
    text: json,
    parameter: fc.oneof(json, fc.array(fc.oneof(parameter, json), { maxLength: 5 })),
    extension: json,
    _topic: json,
  },
  { requiredKeys: ['resourceType'] },
)

const trigger = fc.record(
  { resource: json, supportedInteraction: json, fhirPathCriteria: json, canFilterBy: json },
  { requiredKeys: [] },
)

const topic = fc.record(
  {
    resourceType: fc.constant(topicTypeName),
    url: json,
    status: json,
    meta: json,
    versionAlgorithmString: json,
    versionAlgorithmCoding: json,
    trigger: fc.oneof(json, fc.array(fc.oneof(trigger, json), { maxLength: 3 })),
    useContext: json,
  },
  { requiredKeys: ['resourceType'] },
)

/** What a client can send is any JSON; the types of the interface are what it should be. */
function neverThrows(type: ResourceTypeDefinition, values: fc.Arbitrary<unknown>): void {
  fc.assert(
    fc.property(values, fc.option(values, { nil: undefined }), (body, before) => {
      const resource = body as FhirResource
      const previous = before as FhirResource | undefined
      for (const { severity, details, expression } of issuesOf(type, resource, previous)) {
        assert.ok(severity)
        assert.ok(details?.text)
        assert.ok(expression?.length)
      }
    }),
    { numRuns: 500 },
  )
}

describe('validate never throws', () => {
  const destinationType = topicDestinationType({ secrets: loadSecretSource() })

  it('on a destination of any form', () => {
    neverThrows(destinationType, destination)
  })

  it('on a topic of any form', () => {
    neverThrows(subscriptionTopicType(), topic)
  })

  it('on any JSON', () => {
    neverThrows(destinationType, json)
    neverThrows(subscriptionTopicType(), json)
  })

  it('on values whose text cannot be asked for', () => {
    const hostile = { toString: '', valueOf: null }
    const resource = {
      resourceType: destinationTypeName,
      kind: 'kafka-best-effort',
      topic: hostile,
      meta: { profile: [hostile] },
    }
    // No type allows what is tried here.
    assert.ok(issuesOf(destinationType, resource as unknown as FhirResource).length > 0)
  })

  it('on more than can be checked in a moment', () => {
    const many = Array.from({ length: 300_000 }, () => 'bad')
    const triggers = [{ resource: 'Patient', supportedInteraction: many }]
    const topicIssues = issuesOf(subscriptionTopicType(), {
      resourceType: topicTypeName,
      url: 'http://example.org/t',
      status: 'active',
      trigger: triggers,
    })
    assert.deepEqual(
      topicIssues.map(({ code }) => code),
      ['too-long'],
    )
    const profile = [`${'|'.repeat(200_000)}\n`]
    const kind = 'kafka-best-effort'
    const resource = { resourceType: destinationTypeName, kind, meta: { profile } }
    assert.ok(issuesOf(destinationType, resource).length > 0)
  })

  it('on nesting that exhausts the stack', () => {
    let extension: object = { url: 'http://example.org/x', valueString: 'x' }
    for (let depth = 0; depth < 20_000; depth++) {
      extension = { url: 'http://example.org/x', extension: [extension] }
    }
    const resource = { resourceType: destinationTypeName, extension: [extension] }
    assert.ok(issuesOf(destinationType, resource).length > 0)
  })
})

describe('masking', () => {
  const type = topicDestinationType({ secrets: loadSecretSource() })
  const isSecret = (name: KafkaParameterName): boolean => kafkaParameters[name].secret
  const entries = fc.uniqueArray(
    fc.record({
      name: fc.constantFrom(...kafkaParameterNames),
      valueName: fc.constantFrom('valueString', 'valueUrl', 'valueCode'),
      text: fc.string(),
      id: fc.option(fc.string(), { nil: undefined }),
    }),
    { selector: ({ name }) => name },
  )

  it('hides every secret, keeps all else, and what was read can be written back', () => {
    fc.assert(
      fc.property(entries, (generated) => {
        const written = generated.map(({ name, valueName, text, id }) => ({
          ...(id === undefined ? {} : { id }),
          name,
          [valueName]: isSecret(name) ? `canary ${text}` : text,
        }))
        const stored: FhirResource = {
          resourceType: destinationTypeName,
          id: 'a',
          parameter: written,
        }
        const answer = type.toAnswer?.(stored) ?? stored
        assert.doesNotMatch(JSON.stringify(answer), /canary/)
        const shown = answer['parameter']
        assert.ok(Array.isArray(shown))
        written.forEach((entry, index) => {
          if (!isSecret(entry.name)) assert.equal(shown[index], entry)
        })
        assert.equal(JSON.stringify(type.toStored?.(answer, stored)), JSON.stringify(stored))
      }),
    )
  })
})
