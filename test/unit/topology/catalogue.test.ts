import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { catalogueOf, rightsDifferences, topologyOf } from '../../../src/topology/catalogue.ts'
import { topologyOf as resolved } from '../../helpers/topology.ts'

const topics = `topics:
  shop.orders: { by: [web/Checkout], to: [web/Packing], retry: again }
  shop.patients: { external: producer, to: [web/Packing] }
  shop.encounters: { by: [web/Checkout], to: [web/Packing] }
  shop.health: { role: health }
services: { web: { groupPrefix: shop-, health: shop.health } }
retryPolicies: { again: { attempts: 1, delays: [1s], then: deadLetter } }`
const principals = `principals: { fhir: { user: 'User:fhir' }, web: { user: 'User:web' } }
roles: { Fhir: { principal: fhir, can: [write], topics: [shop.patients] } }`
const destinations = `fhir:
  enforceCatalogue: true
  transactionalIdPrefix: shop-fhir
  destinations: [{ id: e, kafkaTopic: shop.encounters, kind: kafka-at-least-once, principal: fhir }]`

describe('the catalogue of a topology', () => {
  it('leaves destinations alone where the file does not say so', () => {
    assert.equal(catalogueOf(resolved(topics)), undefined)
    assert.equal(catalogueOf(resolved(`${topics}\nfhir: { enforceCatalogue: false }`)), undefined)
  })

  const cases: readonly (readonly [
    kafkaTopic: string,
    user: string | undefined,
    fault?: RegExp,
  ])[] = [
    ['shop.encounters', 'fhir'],
    ['shop.encounters', undefined],
    ['shop.patients', 'fhir'],
    ['shop.encounters', 'web', /does not let the Kafka principal of this destination write/],
    ['shop.patients', 'nobody', /does not let the Kafka principal of this destination write/],
    ['shop.orders', 'fhir', /declares this Kafka topic for other producers/],
    ['shop.health', undefined, /declares this Kafka topic for other producers/],
    ['shop.orders.retry', undefined, /declares this Kafka topic for other producers/],
    ['shop.orders.dlq', undefined, /declares this Kafka topic for other producers/],
    ['shop.Patients', undefined, /has no Kafka topic of this name/],
  ]
  for (const [kafkaTopic, user, fault] of cases) {
    it(`${fault ? 'refuses' : 'takes'} ${kafkaTopic} of ${user ?? 'a user that cannot be told'}`, () => {
      const catalogue = catalogueOf(resolved(`${topics}\n${principals}\n${destinations}`))
      assert.ok(catalogue)
      const found = catalogue.fault(kafkaTopic, user)
      if (fault) assert.match(found ?? '', fault)
      else assert.equal(found, undefined)
    })
  }

  it('asks for no right where the file gives none', () => {
    const catalogue = catalogueOf(resolved(`${topics}\nfhir: { enforceCatalogue: true }`))
    assert.equal(catalogue?.fault('shop.patients', 'anybody'), undefined)
  })

  it('is that of a file in one of its environments', () => {
    const file = 'examples/altinn/altinn-repaired.yaml'
    const topology = topologyOf({ file, environment: 'local' })
    assert.equal(topologyOf(topology), topology)
    const catalogue = catalogueOf(topology)
    assert.equal(
      catalogue?.fault('altinn.notifications.orders.pastdue', 'notif-producer'),
      undefined,
    )
    assert.match(
      catalogue?.fault('altinn.notifications.sms.queue', undefined) ?? '',
      /other producers/,
    )
    assert.throws(() => topologyOf({ file, environment: 'nowhere' }), { code: 'KTD_TOPOLOGY' })
  })
})

describe('rightsDifferences', () => {
  const topology = resolved(`${topics}\n${principals}\n${destinations}`)

  it('finds none where the options are those of the file, or no destination is transactional', () => {
    assert.deepEqual(rightsDifferences(topology, { transactionalIdPrefix: 'shop-fhir' }), [])
    const without = { ...topology, destinations: [] }
    assert.deepEqual(rightsDifferences(without, { transactionalIdPrefix: 'other' }), [])
  })

  it('names the options that the rights of the file are not for', () => {
    const found = rightsDifferences(topology, {
      transactionalIdPrefix: 'other',
      checkpointTopic: 'checkpoints',
    })
    assert.deepEqual(found, [
      'The option transactionalIdPrefix is "other", fhir.transactionalIdPrefix of the topology "test" "shop-fhir": the rights that it gives are for the latter.',
      'The option checkpointTopic is "checkpoints", fhir.checkpointTopic of the topology "test" not set: the rights that it gives are for the latter.',
    ])
  })
})
