import assert from 'node:assert/strict'
import { assertRefused, withoutVersion } from './answers.ts'
import type { RowTest } from './row-test.ts'
import { topicElements } from './topic-rows.ts'

type ElementName = (typeof topicElements)[number]['name']

/** A value of each element. */
const values: Record<ElementName, unknown> = {
  identifier: [{ system: 'http://example.org/ids', value: '1' }, { value: '2' }],
  version: '1.2.0',
  'versionAlgorithm[x]': 'semver',
  name: 'FinishedEncounters',
  title: 'Finished encounters',
  derivedFrom: ['http://example.org/topic/encounters', 'http://example.org/topic/visits'],
  experimental: true,
  date: '2026-08-01T10:00:00Z',
  publisher: 'Example hospital',
  contact: [{ name: 'Desk', telecom: [{ system: 'email', value: 'desk@example.org' }] }],
  description: '*Finished* encounters',
  useContext: [
    {
      code: { system: 'http://terminology.hl7.org/CodeSystem/usage-context-type', code: 'focus' },
      valueCodeableConcept: { text: 'ward' },
    },
  ],
  jurisdiction: [{ text: 'Here' }, { text: 'There' }],
  purpose: 'So that the ward knows',
  copyright: 'None',
  copyrightLabel: '2026 Example hospital',
  approvalDate: '2026-07-01',
  lastReviewDate: '2026-08-01',
  effectivePeriod: { start: '2026-08-01', end: '2027-08-01' },
}

export const topicElementTests: Readonly<Record<string, RowTest>> = Object.fromEntries(
  topicElements.map(({ name, max }) => [`topic-element-${name}`, elementTest(name, max)]),
)

function elementTest(name: ElementName, max: '1' | '*'): RowTest {
  const key = name.replace('[x]', 'String')
  const value = values[name]
  return async (contract) => {
    const { fhir } = contract
    const topic = contract.topic({ resource: 'Patient' }, { [key]: value })
    const stored = await fhir.ok('POST', '/AidboxSubscriptionTopic', topic)
    assert.deepEqual(withoutVersion(stored), topic)
    assert.ok(Array.isArray(value) === (max === '*'), 'the example has the form of the element')
    // One where many may stand, or many where one may.
    const wrong: unknown = Array.isArray(value) ? value[0] : [value, value]
    const otherForm = { ...topic, [key]: wrong }
    const answer = await fhir.request('PUT', `/AidboxSubscriptionTopic/${topic.id}`, otherForm)
    assertRefused(answer, `AidboxSubscriptionTopic.${name.replace('[x]', '')}`)
  }
}
