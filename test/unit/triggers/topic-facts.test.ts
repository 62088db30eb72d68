import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { version as fhirPathVersion } from 'fhirpath'
import type { FhirResource } from '../../../src/host/types.ts'
import { modulePackage } from '../../../src/module-package.ts'
import type { CriteriaFacts } from '../../../src/triggers/criteria-facts.ts'
import { fhirPathEngine } from '../../../src/triggers/criteria-engine.ts'
import {
  parseSubscriptionTopic,
  type SubscriptionTopic,
} from '../../../src/triggers/subscription-topic.ts'
import { criteriaName, criteriaNameOf, TopicFacts } from '../../../src/triggers/topic-facts.ts'
import { TopicIndex } from '../../../src/triggers/topic-index.ts'

function topic(id: string, ...trigger: readonly object[]): SubscriptionTopic {
  return parseSubscriptionTopic(resource(id, ...trigger))
}

function resource(id: string, ...trigger: readonly object[]): FhirResource {
  return { resourceType: 'AidboxSubscriptionTopic', id, url: id, status: 'active', trigger }
}

const parsedFacts = (text: string): CriteriaFacts => fhirPathEngine.compile(text).facts()

describe('faults of stored topics', () => {
  const cases: readonly { name: string; trigger: object; fault: RegExp | undefined }[] = [
    { name: 'no criteria', trigger: { resource: 'Patient' }, fault: undefined },
    {
      name: 'a criteria that can be evaluated',
      trigger: { resource: 'Patient', fhirPathCriteria: 'nonsense.exists()' },
      fault: undefined,
    },
    {
      name: 'no FHIRPath',
      trigger: { resource: 'Patient', fhirPathCriteria: 'active =\n= true' },
      fault: /^trigger\[1\]: This is not FHIRPath: .* \(line \d, column \d+\)$/,
    },
    {
      name: 'a function that is refused',
      trigger: { resource: 'Patient', fhirPathCriteria: "name.trace('x').exists()" },
      fault: /^trigger\[1\]: .*trace.* \(line 1, column \d+\)$/,
    },
    {
      name: 'no resource type',
      trigger: { resource: 'http://example.org/profile' },
      fault: /^trigger\[1\]: It names no resource type/,
    },
    { name: 'no trigger at all', trigger: [], fault: /^trigger\[1\]: It names no resource type/ },
  ]
  for (const { name, trigger, fault } of cases) {
    it(name, async () => {
      const topics = [topic('t', { resource: 'Resource' }, trigger)]
      const facts = await TopicFacts.inSlices(topics, parsedFacts)
      const told = facts.faults.get('t')
      if (fault === undefined) assert.equal(told, undefined)
      else assert.match(told ?? '', fault)
    })
  }
})

describe('topics that need the version before a change', () => {
  const previous = '%previous.exists() and active = true'
  const topics = [
    topic('update', {
      resource: 'Patient',
      fhirPathCriteria: previous,
      supportedInteraction: ['update'],
    }),
    topic('quoted', { resource: 'Patient', fhirPathCriteria: '%`previous`.exists()' }),
    topic('any', {
      resource: 'DomainResource',
      fhirPathCriteria: previous,
      supportedInteraction: ['delete'],
    }),
    topic('current', { resource: 'Patient', fhirPathCriteria: "%current.name != 'previous'" }),
    topic('all', { resource: 'Patient' }),
    topic('invalid', { resource: 'Observation', fhirPathCriteria: 'a b' }),
    topic(
      'second',
      { resource: 'Patient', fhirPathCriteria: 'active = true' },
      { resource: 'Encounter', fhirPathCriteria: previous },
    ),
  ]
  const cases = [
    { type: 'Patient', interaction: 'update', urls: ['update', 'quoted'] },
    { type: 'Patient', interaction: 'delete', urls: ['quoted', 'any'] },
    { type: 'Patient', interaction: 'create', urls: ['quoted'] },
    { type: 'Bundle', interaction: 'delete', urls: [] },
    { type: 'Observation', interaction: 'update', urls: ['invalid'] },
    { type: 'Encounter', interaction: 'update', urls: ['second'] },
  ] as const
  for (const { type, interaction, urls } of cases) {
    it(`${interaction} of ${type}`, async () => {
      const index = new TopicIndex()
      await index.update([], topics)
      for (const facts of [
        await TopicFacts.inSlices(topics, parsedFacts),
        await TopicFacts.inSlices(topics, (text) => index.factsOf(text)),
      ]) {
        assert.deepEqual(facts.usingPrevious(type, interaction), urls)
        assert.deepEqual(facts.usingPrevious(type, interaction), urls)
      }
    })
  }
})

describe('facts of indexed topics', () => {
  it('parses no criteria that the index has parsed', async () => {
    let parsed = 0
    const index = new TopicIndex({
      compile(text) {
        parsed++
        return fhirPathEngine.compile(text)
      },
    })
    const topics = [
      topic('typed', { resource: 'Patient', fhirPathCriteria: '%previous.exists()' }),
      topic('wide', { resource: 'Resource', fhirPathCriteria: 'active =' }),
    ]
    await index.update([], topics)
    const facts = await TopicFacts.inSlices(topics, (text) => index.factsOf(text))
    assert.equal(parsed, 2)
    assert.deepEqual([...facts.faults.keys()], ['wide'])
    assert.equal(index.factsOf('%previous.id.exists()').usesPrevious, true)
    assert.equal(parsed, 3)
  })
})

describe('the name of criteria', () => {
  const trigger = { resource: 'Patient', fhirPathCriteria: 'active = true' }
  const organization = (id: string): object => ({
    meta: {
      extension: [
        {
          url: 'https://aidbox.app/tenant-organization-id',
          valueReference: { reference: `Organization/${id}` },
        },
      ],
    },
  })
  const name = criteriaName(topic('t', trigger))

  it('is the same for what selects the same, whatever the topic is called', () => {
    assert.match(name, /^[0-9a-f]{16}$/)
    assert.equal(criteriaName(topic('other', trigger)), name)
    assert.equal(criteriaName(topic('t', { ...trigger, description: 'new' })), name)
  })

  it('changes with everything that selects', () => {
    const others = [
      topic('t', { ...trigger, fhirPathCriteria: 'active = false' }),
      topic('t', { ...trigger, resource: 'Observation' }),
      topic('t', { ...trigger, supportedInteraction: ['create'] }),
      topic('t', trigger, trigger),
      parseSubscriptionTopic({ ...resource('t', trigger), ...organization('a') }),
      parseSubscriptionTopic({ ...resource('t', trigger), ...organization('b') }),
    ]
    const names = [name, ...others.map(criteriaName)]
    assert.equal(new Set(names).size, names.length)
  })

  it('changes with the versions of this module and of its FHIRPath engine', () => {
    const named = (...versions: string[]): string => criteriaNameOf(topic('t', trigger), versions)
    assert.equal(named(modulePackage.version, fhirPathVersion), name)
    assert.notEqual(named('0.0.0', fhirPathVersion), name)
    assert.notEqual(named(modulePackage.version, '0.0.0'), name)
  })
})
