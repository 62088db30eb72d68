import assert from 'node:assert/strict'
import { before, describe, it } from 'node:test'
import { indexSearchParameter } from '@medplum/core'
import { toDateRange } from '../../../src/rest/search/date-range.ts'
import { searchTerms } from '../../../src/server/search/search-terms.ts'
import { supportedSearchParameters } from '../../../src/server/search/supported.ts'
import { foldText, indexable } from '../../../src/server/search/term-values.ts'
import {
  parseSearch,
  parseSearchText,
  splitUnescaped,
  unescape,
} from '../../../src/rest/search/parse-search.ts'
import { loadR4Definitions } from '../../../src/server/storage/validation.ts'

before(loadR4Definitions)

type Found = readonly (string | null)[]

function textTerms(resource: { resourceType: string }, parameter: string): Found[] {
  return searchTerms(resource)
    .filter((term) => term.parameter === parameter)
    .map(({ value, qualifier }) => (qualifier === null ? [value] : [value, qualifier]))
}

function periods(resource: { resourceType: string }, parameter: string): (string | undefined)[][] {
  const iso = (ms: number | null) => (ms === null ? undefined : new Date(ms).toISOString())
  return searchTerms(resource)
    .filter((term) => term.parameter === parameter)
    .map(({ low, high }) => [iso(low), iso(high)])
}

describe('searchTerms', () => {
  const patient = { resourceType: 'Patient' }
  const observation = { resourceType: 'Observation' }
  const cases: {
    what: string
    resource: { resourceType: string; [element: string]: unknown }
    parameter: string
    terms: Found[]
  }[] = [
    {
      what: 'an identifier with its system, in its case',
      resource: { ...patient, identifier: [{ system: 'urn:a', value: 'X1' }, { value: 'Y' }] },
      parameter: 'identifier',
      terms: [['X1', 'urn:a'], ['Y']],
    },
    {
      what: 'every part of a name, without case and accents',
      resource: { ...patient, name: [{ family: 'Müller', given: ['Zoë', 'Ann'] }] },
      parameter: 'name',
      terms: [
        ['muller', 'Müller'],
        ['zoe', 'Zoë'],
        ['ann', 'Ann'],
      ],
    },
    {
      what: 'a contact point of one system',
      resource: {
        ...patient,
        telecom: [
          { system: 'phone', value: '1' },
          { system: 'email', value: 'A@b.org' },
        ],
      },
      parameter: 'email',
      terms: [['a@b.org']],
    },
    {
      what: 'every coding of a concept once',
      resource: {
        ...observation,
        code: { coding: [{ system: 's', code: 'A' }, { system: 's', code: 'a' }, { code: 'b' }] },
      },
      parameter: 'code',
      terms: [['a', 's'], ['b']],
    },
    {
      what: 'elements of repeating elements',
      resource: {
        ...observation,
        code: { coding: [{ code: 'a' }] },
        component: [{ code: { coding: [{ code: 'b' }] } }, { code: { coding: [{ code: 'c' }] } }],
      },
      parameter: 'combo-code',
      terms: [['a'], ['b'], ['c']],
    },
    {
      what: 'one type of a choice',
      resource: { ...observation, valueCodeableConcept: { coding: [{ code: 'x' }], text: 'X y' } },
      parameter: 'value-concept',
      terms: [['x']],
    },
    {
      what: 'the text of a narrowed choice',
      resource: { ...observation, valueCodeableConcept: { coding: [{ code: 'x' }], text: 'X y' } },
      parameter: 'value-string',
      terms: [['x y', 'X y']],
    },
    {
      what: 'a reference without its version',
      resource: { ...observation, subject: { reference: 'Patient/1/_history/2' } },
      parameter: 'subject',
      terms: [['Patient/1']],
    },
    {
      what: 'a reference to the type in question',
      resource: { ...observation, subject: { reference: 'Patient/1' } },
      parameter: 'patient',
      terms: [['Patient/1']],
    },
    {
      what: 'no reference to another type',
      resource: { ...observation, subject: { reference: 'Group/1' } },
      parameter: 'patient',
      terms: [],
    },
    {
      what: 'no reference to a contained resource',
      resource: { ...observation, subject: { reference: '#a' } },
      parameter: 'subject',
      terms: [],
    },
    {
      what: 'a canonical and its version',
      resource: { resourceType: 'QuestionnaireResponse', questionnaire: 'http://q|2' },
      parameter: 'questionnaire',
      terms: [['http://q', '2']],
    },
    {
      what: 'profiles and tags',
      resource: { ...patient, meta: { profile: ['http://p'], tag: [{ system: 't', code: 'c' }] } },
      parameter: '_tag',
      terms: [['c', 't']],
    },
    {
      what: 'that somebody is deceased, by date',
      resource: { ...patient, deceasedDateTime: '2020' },
      parameter: 'deceased',
      terms: [['true']],
    },
    {
      what: 'that somebody is not deceased',
      resource: { ...patient, deceasedBoolean: false },
      parameter: 'deceased',
      terms: [['false']],
    },
    {
      what: 'a boolean',
      resource: { ...patient, active: true },
      parameter: 'active',
      terms: [['true']],
    },
    {
      what: 'artifacts of one kind',
      resource: {
        resourceType: 'Measure',
        relatedArtifact: [
          { type: 'depends-on', resource: 'http://a' },
          { type: 'successor', resource: 'http://b' },
        ],
      },
      parameter: 'depends-on',
      terms: [['http://a']],
    },
  ]
  for (const { what, resource, parameter, terms } of cases) {
    it(`finds ${what}`, () => {
      assert.deepEqual(textTerms(resource, parameter), terms)
    })
  }

  it('finds the time that dates, periods and timings cover', () => {
    assert.deepEqual(periods({ ...patient, birthDate: '1980-02' } as typeof patient, 'birthdate'), [
      ['1980-02-01T00:00:00.000Z', '1980-03-01T00:00:00.000Z'],
    ])
    const encounter = { resourceType: 'Encounter', period: { start: '2020-01-01T10:00:00+02:00' } }
    assert.deepEqual(periods(encounter, 'date'), [
      ['2020-01-01T08:00:00.000Z', '+275760-09-13T00:00:00.000Z'],
    ])
    const timed = { ...observation, effectiveTiming: { event: ['2021', '2019-05-05'] } }
    assert.deepEqual(periods(timed, 'date'), [
      ['2019-05-05T00:00:00.000Z', '2022-01-01T00:00:00.000Z'],
    ])
  })

  it('takes senseless JSON for nothing', () => {
    const senseless = {
      ...patient,
      name: [null, 3, { family: {}, given: [null, 1] }],
      identifier: 'x',
      telecom: {},
      birthDate: 'never',
      meta: { tag: [null], profile: 7 },
      managingOrganization: [{ reference: 5 }],
    }
    assert.deepEqual(
      searchTerms(senseless as unknown as typeof patient).map(({ parameter }) => parameter),
      ['deceased'],
    )
  })
})

describe('supportedSearchParameters', () => {
  it('names what can be answered, with its url', () => {
    const supported = supportedSearchParameters('Observation')
    const codes = supported.map(({ code }) => code)
    for (const code of ['_id', '_lastUpdated', '_tag', 'code', 'patient', 'date', 'value-string']) {
      assert.ok(codes.includes(code), code)
    }
    for (const code of ['value-quantity', 'code-value-date', '_text', '_compartment']) {
      assert.ok(!codes.includes(code), code)
    }
    assert.ok(supported.every(({ url }) => url.startsWith('http://hl7.org/fhir/SearchParameter/')))
  })

  it('learns parameters that are added later', () => {
    assert.ok(!supportedSearchParameters('Basic').some(({ code }) => code === 'language'))
    indexSearchParameter({
      resourceType: 'SearchParameter',
      url: 'http://example.org/language',
      name: 'language',
      status: 'active',
      description: 'Language',
      code: 'language',
      base: ['Basic'],
      type: 'token',
      expression: 'Basic.language',
    })
    assert.ok(supportedSearchParameters('Basic').some(({ code }) => code === 'language'))
  })

  it('covers R4 but for a few parameters', () => {
    const codes = (type: string) => supportedSearchParameters(type).map(({ code }) => code)
    assert.ok(!codes('Patient').includes('phonetic'))
    assert.ok(codes('Patient').includes('death-date'))
    assert.ok(codes('Condition').includes('onset-date'))
    assert.ok(codes('Medication').includes('ingredient'))
    assert.ok(codes('ConceptMap').includes('source-uri'))
    assert.ok(codes('Group').includes('value'))
    assert.ok(codes('InsurancePlan').includes('name'))
  })
})

describe('toDateRange', () => {
  const cases = [
    { text: '2020', low: '2020-01-01T00:00:00.000Z', high: '2021-01-01T00:00:00.000Z' },
    { text: '2020-12', low: '2020-12-01T00:00:00.000Z', high: '2021-01-01T00:00:00.000Z' },
    { text: '2020-02-29', low: '2020-02-29T00:00:00.000Z', high: '2020-03-01T00:00:00.000Z' },
    {
      text: '2020-01-01T10:00Z',
      low: '2020-01-01T10:00:00.000Z',
      high: '2020-01-01T10:01:00.000Z',
    },
    {
      text: '2020-01-01T10:00:05-01:30',
      low: '2020-01-01T11:30:05.000Z',
      high: '2020-01-01T11:30:06.000Z',
    },
    {
      text: '2020-01-01T10:00:05.1234Z',
      low: '2020-01-01T10:00:05.123Z',
      high: '2020-01-01T10:00:05.124Z',
    },
    { text: '0050', low: '0050-01-01T00:00:00.000Z', high: '0051-01-01T00:00:00.000Z' },
  ]
  for (const { text, low, high } of cases) {
    it(`reads ${text}`, () => {
      assert.deepEqual(toDateRange(text), { low: Date.parse(low), high: Date.parse(high) })
    })
  }
  for (const text of [
    '',
    'never',
    '2021-02-29',
    '2020-13',
    '2020-1-1',
    '2020-01-01T25:00Z',
    '0000',
  ]) {
    it(`refuses '${text}'`, () => {
      assert.equal(toDateRange(text), undefined)
    })
  }
})

describe('values', () => {
  it('too long for an index are cut and stay different', () => {
    const [one, two] = [indexable(`${'x'.repeat(5000)}1`), indexable(`${'x'.repeat(5000)}2`)]
    assert.ok(one.length < 800 && one !== two)
    assert.equal(foldText('Ü'.repeat(5000)).length, 700)
  })

  it('are split where nothing is escaped', () => {
    assert.deepEqual(splitUnescaped(String.raw`a\,b,c\\,d`, ','), [
      String.raw`a\,b`,
      String.raw`c\\`,
      'd',
    ])
    assert.equal(unescape(String.raw`a\,b\|c\\d`), String.raw`a,b|c\d`)
  })
})

describe('parseSearch', () => {
  it('keeps modifiers, prefixes and repetitions', () => {
    const { filters } = parseSearch('Observation', {
      'subject:Patient': '1',
      date: ['ge2020', 'lt2021'],
    })
    assert.deepEqual(filters, [
      { code: 'subject:Patient', operator: 'eq', value: '1' },
      { code: 'date', operator: 'eq', value: 'ge2020' },
      { code: 'date', operator: 'eq', value: 'lt2021' },
    ])
  })

  it('ignores what clients add for themselves, unless the type has such a parameter', () => {
    const query = { mode: 'server', _format: 'json', _totalMethod: 'count', _summary: 'true' }
    assert.deepEqual(parseSearch('Patient', query).filters, [])
    assert.equal(parseSearch('CapabilityStatement', query).filters?.length, 1)
  })

  it('reads a condition with and without a type, and question marks in values', () => {
    for (const text of ['identifier=http://x?y|1', 'Patient?identifier=http://x?y|1']) {
      assert.deepEqual(parseSearchText('Patient', text).filters, [
        { code: 'identifier', operator: 'eq', value: 'http://x?y|1' },
      ])
    }
  })
})
