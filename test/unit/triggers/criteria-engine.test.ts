import assert from 'node:assert/strict'
import { describe, it, mock } from 'node:test'
import type { Change, FhirResource } from '../../../src/host/types.ts'
import { fhirPathEngine, type Verdict } from '../../../src/triggers/criteria-engine.ts'
import type { ResolvedReferences } from '../../../src/triggers/references.ts'
import { deepFreeze, readFixture } from './fixtures.ts'

interface Hostile {
  criteria: string
  fires?: boolean
  stopped?: string
  refused?: string
}

const hostile = await readFixture<Hostile[]>('criteria/hostile.json')

const bigPatient: FhirResource = deepFreeze({
  resourceType: 'Patient',
  id: 'big',
  name: Array.from({ length: 400 }, (_, i) => ({
    use: 'official',
    family: `${'a'.repeat(36)}!`,
    given: [`g${i}`, `h${i}`],
  })),
})

function create(current: FhirResource): Change {
  return { interaction: 'create', resourceType: current.resourceType, id: '1', current }
}

function evaluate(
  criteria: string,
  change: Change,
  resolved: ResolvedReferences = new Map(),
): Verdict {
  return withoutCost(fhirPathEngine.compile(criteria).evaluate(change, resolved))
}

function withoutCost({ cost, ...verdict }: Verdict): Verdict {
  assert.ok(cost === undefined || (cost > 0 && cost <= 1), String(cost))
  return verdict
}

const fires: Verdict = { kind: 'decided', fires: true }
const doesNotFire: Verdict = { kind: 'decided', fires: false }

describe('fhirPathEngine', () => {
  for (const { criteria, fires: expected, stopped, refused } of hostile) {
    it(`is not harmed by ${criteria.slice(0, 80)}`, () => {
      const verdict = evaluate(criteria, create(bigPatient))
      if (expected !== undefined) {
        assert.deepEqual(verdict, { kind: 'decided', fires: expected })
        return
      }
      assert.equal(verdict.kind, 'undecided')
      assert.ok(verdict.error.includes(stopped ?? refused ?? ''), verdict.error)
      if (stopped) assert.ok(verdict.error.startsWith('The criteria was stopped'), verdict.error)
    })
  }

  it('works on after it has stopped a criteria', () => {
    const criteria = fhirPathEngine.compile('descendants().distinct().count() > 1')
    assert.equal(criteria.evaluate(create(bigPatient), new Map()).kind, 'undecided')
    const small = create({ resourceType: 'Patient', id: '1', active: true, gender: 'male' })
    assert.deepEqual(withoutCost(criteria.evaluate(small, new Map())), fires)
  })

  it('reads a long string of the resource without counting it as computed', () => {
    const data = 'a'.repeat(200_000)
    const change = create({ resourceType: 'Binary', id: '1', contentType: 'x', data })
    assert.deepEqual(evaluate('data.exists() and data.length() > 100000', change), fires)
  })

  const patient = {
    resourceType: 'Patient',
    id: '1',
    active: true,
    name: [{ family: 'SECRET-1' }, { family: 'SECRET-2' }],
  }

  for (const criteria of [
    "'SECRET' > 1 or active",
    'name.family and true',
    'name.family.first() > 3',
    'name.family.first() + 1 = 2',
    'name',
    'name.family',
    'name.family.first()',
  ]) {
    it(`leaves ${criteria} undecided without quoting the resource`, () => {
      const verdict = evaluate(criteria, create(patient))
      assert.equal(verdict.kind, 'undecided')
      assert.ok(!/SECRET/.test(verdict.error), verdict.error)
    })
  }

  for (const variable of ['%current', '%resource', '%rootResource', '%context']) {
    it(`gives ${variable} the resource`, () => {
      assert.deepEqual(evaluate(`${variable}.active = true`, create(patient)), fires)
      const gone: Change = {
        interaction: 'delete',
        resourceType: 'Patient',
        id: '1',
        previous: patient,
      }
      assert.deepEqual(evaluate(`${variable}.empty()`, gone), fires)
    })
  }

  it('knows %sct, %loinc and %ucum', () => {
    const criteria =
      "%sct = 'http://snomed.info/sct' and %loinc = 'http://loinc.org' and %ucum = 'http://unitsofmeasure.org'"
    assert.deepEqual(evaluate(criteria, create(patient)), fires)
  })

  it('has an empty %previous on create and an empty %current on delete, whatever the host passes', () => {
    const both = { resourceType: 'Patient', id: '1', current: patient, previous: patient }
    assert.deepEqual(evaluate('%previous.empty()', { ...both, interaction: 'create' }), fires)
    assert.deepEqual(evaluate('%current.empty()', { ...both, interaction: 'delete' }), fires)
    assert.deepEqual(evaluate('active', { ...both, interaction: 'delete' }), doesNotFire)
  })

  it('never changes what the server passes', () => {
    const frozen = deepFreeze(structuredClone(patient))
    for (const criteria of [
      'name',
      'name.first()',
      "name.where(family = 'x').exists()",
      'descendants().count() > 1',
      '$this',
      '%previous',
    ]) {
      evaluate(criteria, {
        interaction: 'update',
        resourceType: 'Patient',
        id: '1',
        current: frozen,
        previous: frozen,
      })
    }
    const own = structuredClone(patient)
    evaluate('name', create(own))
    const [name] = own.name
    assert.ok(name)
    assert.deepEqual(Object.getOwnPropertyNames(name), ['family'])
  })

  it('does not reach the network, whatever the criteria says', () => {
    const fetched = mock.method(globalThis, 'fetch', () => assert.fail('the network was used'))
    const change = create({
      resourceType: 'Encounter',
      id: '1',
      subject: { reference: 'http://169.254.169.254/Patient/1' },
    })
    for (const criteria of [
      'subject.resolve().exists()',
      "'https://evil.example/x'.resolve().exists()",
      "'urn:uuid:1'.resolve().exists()",
    ]) {
      assert.deepEqual(evaluate(criteria, change), doesNotFire)
    }
    assert.equal(evaluate("status.memberOf('http://evil.example/vs')", change).kind, 'undecided')
    assert.equal(fetched.mock.callCount(), 0)
    fetched.mock.restore()
  })

  it('writes nothing to the console, where it would quote the resource', () => {
    const warned = mock.method(console, 'warn', () => undefined)
    const born = create({ resourceType: 'Patient', id: '1', birthDate: '1973-12-25' })
    assert.deepEqual(evaluate('birthDate + 7.7 days > @1973-12-31', born), fires)
    assert.equal(warned.mock.callCount(), 0)
    warned.mock.restore()
  })

  const regexes: [criteria: string, family: string, expected: Verdict][] = [
    ["name.family.matches('^A.*z$')", 'A\nz', fires],
    ["name.family.matches('b')", 'abc', fires],
    ["name.family.matchesFull('b')", 'abc', doesNotFire],
    ["name.family.matchesFull('a.c')", 'abc', fires],
    ["name.family.matches('\\\\d{3}')", 'x123', fires],
    ["name.family.replace('b', '$&') = 'a$&c'", 'abc', fires],
  ]
  for (const [criteria, family, expected] of regexes) {
    it(`evaluates ${criteria} on ${JSON.stringify(family)}`, () => {
      const change = create({ resourceType: 'Patient', id: '1', name: [{ family }] })
      assert.deepEqual(evaluate(criteria, change), expected)
      const empty = create({ resourceType: 'Patient', id: '1' })
      assert.deepEqual(evaluate(criteria, empty), doesNotFire)
    })
  }

  it('asks for references it has not seen, and gives nothing for those known to be absent', () => {
    const encounter = {
      resourceType: 'Encounter',
      id: '1',
      subject: { reference: 'Patient/p/_history/3' },
    }
    const criteria = 'subject.resolve().active and subject.resolve() is Patient'
    assert.deepEqual(evaluate(criteria, create(encounter)), {
      kind: 'pending',
      references: ['Patient/p'],
    })
    assert.deepEqual(
      evaluate(criteria, create(encounter), new Map([['Patient/p', undefined]])),
      doesNotFire,
    )
    const found = new Map([
      ['Patient/p', deepFreeze({ resourceType: 'Patient', id: 'p', active: true })],
    ])
    assert.deepEqual(evaluate(criteria, create(encounter), found), fires)
  })

  it('finds contained resources in the resource that the reference is in', () => {
    const withSubject = (active: boolean): FhirResource => ({
      resourceType: 'Encounter',
      id: '1',
      contained: [{ resourceType: 'Patient', id: 'c', active }],
      subject: { reference: '#c' },
    })
    const change: Change = {
      interaction: 'update',
      resourceType: 'Encounter',
      id: '1',
      current: withSubject(true),
      previous: withSubject(false),
    }
    const criteria = 'subject.resolve().active and %previous.subject.resolve().active.not()'
    assert.deepEqual(evaluate(criteria, change), fires)
  })

  it("does not look into the module's own types, whose secrets are stored in clear", () => {
    const stored = {
      resourceType: 'AidboxTopicDestination',
      id: 'd',
      parameter: [{ name: 'saslJaasConfig', valueString: 'canary' }],
    }
    const change = create({
      resourceType: 'Encounter',
      id: '1',
      subject: { reference: 'AidboxTopicDestination/d' },
    })
    const verdict = evaluate(
      'subject.resolve().exists()',
      change,
      new Map([['AidboxTopicDestination/d', stored]]),
    )
    assert.deepEqual(verdict, doesNotFire)
    assert.deepEqual(evaluate('subject.resolve().exists()', change), doesNotFire)
  })

  it('stops before a unit that takes long to read', () => {
    const observation = (code: string): Change =>
      create({
        resourceType: 'Observation',
        id: '1',
        valueQuantity: { value: 1, system: 'http://unitsofmeasure.org', code },
      })
    const criteria = "value.ofType(Quantity) > 10 'mg'"
    const verdict = evaluate(criteria, observation('m.'.repeat(20_000)))
    assert.equal(verdict.kind, 'undecided')
    assert.match(verdict.error, /unit/)
    assert.deepEqual(evaluate(criteria, observation('kg')), fires)
  })

  it('adds up what regular expressions cost', () => {
    const family = 'ab'.repeat(5_000)
    const names = Array.from({ length: 100 }, () => ({ family }))
    const change = create({ resourceType: 'Patient', id: '1', name: names })
    const pattern = '^(a{1,50}b|b{1,50}a)*c'
    const once = `name.first().family.matches('${pattern}')`
    const often = `name.where(family.matches('${pattern}')).exists()`
    assert.deepEqual(evaluate(once, change), doesNotFire)
    const verdict = evaluate(often, change)
    assert.equal(verdict.kind, 'undecided')
    assert.match(verdict.error, /regular expressions/)
  })

  it('stops at 50 references', () => {
    const participant = Array.from({ length: 51 }, (_, i) => ({
      individual: { reference: `Practitioner/${i}` },
    }))
    const change = create({ resourceType: 'Encounter', id: '1', participant })
    const verdict = evaluate('participant.individual.resolve().exists()', change)
    assert.equal(verdict.kind, 'undecided')
    assert.match(verdict.error, /more than 50 references/)
  })
})
