import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import {
  formatPath,
  replaceConditional,
  replaceInQuery,
  replacePlaceholders,
  waitsForEntry,
  type Placeholders,
} from '../../../src/rest/bundles/bundle-references.ts'

const patientUrn = 'urn:uuid:6f4f0b9e-5b39-4a3f-9f43-2a2e9a1f7a10'
const pendingUrn = 'urn:uuid:00000000-0000-4000-8000-000000000000'
const placeholders: Placeholders = new Map([
  [patientUrn, 'Patient/new'],
  ['http://example.org/fhir/Patient/old', 'Patient/new'],
  [pendingUrn, null],
])

function replace<Value extends object>(resource: Value, fullUrl?: string) {
  return replacePlaceholders(resource, placeholders, fullUrl, (path) => {
    throw new Error(`missing at ${formatPath(path)}`)
  })
}

describe('replacePlaceholders', () => {
  const cases = [
    {
      name: 'a reference, at any depth',
      given: { a: [{ b: { subject: { reference: patientUrn, display: patientUrn } } }] },
      expected: { a: [{ b: { subject: { reference: 'Patient/new', display: patientUrn } } }] },
    },
    {
      name: 'a reference with a fragment',
      given: { subject: { reference: `${patientUrn}#part` } },
      expected: { subject: { reference: 'Patient/new#part' } },
    },
    {
      name: 'an absolute reference that is the fullUrl of an entry',
      given: { subject: { reference: 'http://example.org/fhir/Patient/old' } },
      expected: { subject: { reference: 'Patient/new' } },
    },
    {
      name: 'uri, url and uuid values',
      given: {
        extension: [
          { url: 'http://example.org/x', valueUri: patientUrn },
          { valueUuid: patientUrn },
        ],
        content: [{ attachment: { url: patientUrn } }],
        policy: [patientUrn],
      },
      expected: {
        extension: [
          { url: 'http://example.org/x', valueUri: 'Patient/new' },
          { valueUuid: 'Patient/new' },
        ],
        content: [{ attachment: { url: 'Patient/new' } }],
        policy: ['Patient/new'],
      },
    },
    {
      name: 'links of the narrative',
      given: {
        text: {
          div: `<div><a href="${patientUrn}">${patientUrn}</a><img src='${patientUrn}'/></div>`,
        },
      },
      expected: {
        text: { div: `<div><a href="Patient/new">${patientUrn}</a><img src='Patient/new'/></div>` },
      },
    },
    {
      name: 'references of contained resources, not those to them',
      given: {
        contained: [{ id: 'c', subject: { reference: patientUrn } }],
        x: { reference: '#c' },
      },
      expected: {
        contained: [{ id: 'c', subject: { reference: 'Patient/new' } }],
        x: { reference: '#c' },
      },
    },
  ]
  for (const { name, given, expected } of cases) {
    it(`replaces ${name}`, () => {
      const before = structuredClone(given)
      assert.deepEqual(replace(given).resource, expected)
      assert.deepEqual(given, before, 'the client’s resource stays as it is')
    })
  }

  it('leaves identifiers, canonicals, the url of the resource and plain text', () => {
    const resource = {
      url: patientUrn,
      identifier: [{ system: 'urn:ietf:rfc:3986', value: patientUrn }],
      instantiatesCanonical: [patientUrn],
      valueCanonical: patientUrn,
      description: patientUrn,
      subject: { reference: 'urn:uuid:11111111-0000-4000-8000-000000000000' },
    }
    assert.equal(replace(resource).resource, resource)
  })

  it('copies nothing but what holds a replaced link, in the same order', () => {
    const untouched = { coding: [{ code: 'x' }] }
    const given = {
      resourceType: 'Observation',
      subject: { reference: patientUrn },
      code: untouched,
    }
    const { resource } = replace(given)
    assert.equal(resource.code, untouched)
    assert.deepEqual(Object.keys(resource), Object.keys(given))
  })

  it('takes a member called __proto__ for data', () => {
    const given = JSON.parse(`{"__proto__":{"reference":"${patientUrn}"}}`) as object
    const { resource } = replace(given)
    assert.equal(JSON.stringify(resource), '{"__proto__":{"reference":"Patient/new"}}')
    assert.equal(Object.getPrototypeOf(resource), Object.prototype)
  })

  it('takes a relative reference for the base of its own fullUrl', () => {
    const given = { subject: { reference: 'Patient/old' } }
    const { resource } = replace(given, 'http://example.org/fhir/Observation/1')
    assert.deepEqual(resource, { subject: { reference: 'Patient/new' } })
    assert.equal(replace(given, 'http://elsewhere.org/fhir/Observation/1').resource, given)
    assert.equal(replace(given, patientUrn).resource, given)
    assert.equal(replace(given).resource, given)
  })

  it('names where a reference to an entry without a resource is', () => {
    const given = { performer: [{}, { actor: { reference: pendingUrn } }] }
    assert.throws(() => replace(given), /missing at \.performer\[1\]\.actor\.reference/)
  })

  it('lists conditional references, with what stands in their criteria replaced', () => {
    const given = {
      subject: { reference: 'Patient?identifier=a|1' },
      encounter: { reference: `Encounter?subject=${patientUrn}` },
      other: { reference: 'Patient/1' },
    }
    const { resource, conditional } = replace(given)
    assert.deepEqual(
      conditional.map(({ reference, path }) => [reference, formatPath(path)]),
      [
        ['Patient?identifier=a|1', '.subject.reference'],
        ['Encounter?subject=Patient%2Fnew', '.encounter.reference'],
      ],
    )
    const resolved = new Map([
      ['Patient?identifier=a|1', 'Patient/7'],
      ['Encounter?subject=Patient%2Fnew', 'Encounter/8'],
    ])
    assert.deepEqual(replaceConditional(resource, resolved), {
      subject: { reference: 'Patient/7' },
      encounter: { reference: 'Encounter/8' },
      other: { reference: 'Patient/1' },
    })
  })
})

describe('replaceInQuery', () => {
  const cases: [given: string, expected: string][] = [
    ['', ''],
    ['family=%C3%84&_count=1', 'family=%C3%84&_count=1'],
    [`subject=${patientUrn}`, 'subject=Patient%2Fnew'],
    [`subject=${encodeURIComponent(patientUrn)}&code=a%7Cb`, 'subject=Patient%2Fnew&code=a%7Cb'],
    [`subject=${patientUrn},Patient/2`, 'subject=Patient%2Fnew%2CPatient%2F2'],
    [`identifier=urn:ietf:rfc:3986|${patientUrn}`, `identifier=urn:ietf:rfc:3986|${patientUrn}`],
  ]
  for (const [given, expected] of cases) {
    it(`makes ${expected || 'nothing'} of ${given || 'nothing'}`, () => {
      assert.equal(replaceInQuery(given, placeholders), expected)
    })
  }

  it('knows a query that waits for an entry', () => {
    assert.equal(waitsForEntry(`a=1&subject=x,${pendingUrn}`, placeholders), true)
    assert.equal(waitsForEntry(`subject=${patientUrn}`, placeholders), false)
  })
})
