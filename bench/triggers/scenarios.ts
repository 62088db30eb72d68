import type { Change, FhirResource } from '../../src/host/types.ts'
import {
  parseSubscriptionTopic,
  type SubscriptionTopic,
} from '../../src/triggers/subscription-topic.ts'

const observation: FhirResource = {
  resourceType: 'Observation',
  id: 'o1',
  meta: { versionId: '2', lastUpdated: '2026-07-14T10:00:00Z' },
  identifier: [{ system: 'urn:lab', value: 'A-1' }],
  status: 'final',
  category: [
    {
      coding: [
        {
          system: 'http://terminology.hl7.org/CodeSystem/observation-category',
          code: 'laboratory',
        },
      ],
    },
  ],
  code: {
    coding: [{ system: 'http://loinc.org', code: '2339-0', display: 'Glucose' }],
    text: 'Glucose',
  },
  subject: { reference: 'Patient/5' },
  encounter: { reference: 'Encounter/e1' },
  effectiveDateTime: '2026-07-14T11:55:00-04:00',
  issued: '2026-07-14T11:56:21.117-04:00',
  performer: [{ reference: 'Practitioner/pr1' }],
  valueQuantity: {
    value: 187.4,
    unit: 'mg/dL',
    system: 'http://unitsofmeasure.org',
    code: 'mg/dL',
  },
  interpretation: [
    {
      coding: [
        {
          system: 'http://terminology.hl7.org/CodeSystem/v3-ObservationInterpretation',
          code: 'H',
        },
      ],
    },
  ],
  referenceRange: [{ low: { value: 70, unit: 'mg/dL' }, high: { value: 100, unit: 'mg/dL' } }],
}

/** One update of an Observation: preliminary becomes final, and its value changes. */
export const update: Change = {
  interaction: 'update',
  resourceType: 'Observation',
  id: 'o1',
  current: observation,
  previous: {
    ...observation,
    meta: { versionId: '1' },
    status: 'preliminary',
    valueQuantity: { value: 9, unit: 'mg/dL' },
  },
}

const types = [
  ...['Patient', 'Observation', 'Encounter', 'Condition', 'Procedure', 'MedicationRequest'],
  ...['DiagnosticReport', 'Immunization', 'Claim', 'QuestionnaireResponse'],
]

/** One of 200 criteria as people write them. */
function commonCriteria(n: number): string {
  const i = n % 200
  switch (i % 5) {
    case 0:
      return `%current.status = 'final' and %previous.status != 'final' and code.coding.where(system = 'http://loinc.org' and code = '${1000 + i}-${i % 9}').exists()`
    case 1:
      return `status = 'amended' and category.coding.code = 'c${i}'`
    case 2:
      return `%current.value.ofType(Quantity).value > ${i * 10}`
    case 3:
      return `%previous.status = 'preliminary' and %current.status = 'final' and subject.reference = 'Patient/${i}'`
    default:
      return `interpretation.coding.code = 'H' and code.coding.exists(code = '${i}-1')`
  }
}

type Trigger = { readonly resource: string; readonly fhirPathCriteria: string }

/** Triggers of topic `n`, by scenario. */
const triggers: Readonly<Record<string, (n: number) => Trigger>> = {
  's1-200-criteria': (n) => ({ resource: 'Observation', fhirPathCriteria: commonCriteria(n) }),
  's1b-200-criteria-10-types': (n) => ({
    resource: types[n % types.length] ?? '',
    fhirPathCriteria: commonCriteria(Math.floor(n / types.length)),
  }),
  's2-distinct-equalities': (n) => ({
    resource: 'Observation',
    fhirPathCriteria: `subject.reference = 'Patient/${n}' and status = 'final'`,
  }),
  's2b-distinct-codings': (n) => ({
    resource: 'Observation',
    fhirPathCriteria: `code.coding.where(system = 'http://loinc.org' and code = '${n}-0').exists()`,
  }),
  's3-distinct-thresholds': (n) => ({
    resource: 'Observation',
    fhirPathCriteria: `%current.value.ofType(Quantity).value > ${n}`,
  }),
}

export const scenarios: readonly string[] = Object.keys(triggers)

/** Topic `n` of a scenario; `version` tells apart states of the same topic. */
export function scenarioTopic(scenario: string, n: number, version = ''): SubscriptionTopic {
  const { resource, fhirPathCriteria } = triggers[scenario]?.(n) ?? {
    resource: '',
    fhirPathCriteria: '',
  }
  return parseSubscriptionTopic({
    resourceType: 'AidboxSubscriptionTopic',
    id: `t${n}`,
    url: `http://example.org/topic/t${n}`,
    status: 'active',
    trigger: [
      {
        resource,
        supportedInteraction: ['create', 'update'],
        fhirPathCriteria:
          version === '' ? fhirPathCriteria : `${fhirPathCriteria} and id = '${version}'`,
      },
    ],
  })
}

export function scenarioTopics(scenario: string, count: number): SubscriptionTopic[] {
  return Array.from({ length: count }, (_, n) => scenarioTopic(scenario, n))
}
