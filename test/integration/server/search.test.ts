import assert from 'node:assert/strict'
import { before, describe, it } from 'node:test'
import { OperationOutcomeError, parseSearchRequest } from '@medplum/core'
import type { Bundle } from '@medplum/fhirtypes'
import knex from 'knex'
import type { Pool } from 'pg'
import { fromPg } from '../../../src/host/sql-tx.ts'
import type { FhirResource, SqlTx } from '../../../src/host/types.ts'
import { migrateServer, resourceTables } from '../../../src/server/storage/schema.ts'
import { parseSearch } from '../../../src/rest/search/parse-search.ts'
import { removeFromSearchIndex, writeSearchIndex } from '../../../src/server/search/search-index.ts'
import { searchResources } from '../../../src/server/search/search-resources.ts'
import { parseQuery } from '../../../src/rest/request-url.ts'
import { loadR4Definitions } from '../../../src/server/storage/validation.ts'
import { testDatabase } from '../../helpers/postgres.ts'

const clientBaseUrl = 'http://client.example:80/fhir'

describe('searchResources', () => {
  let db: SqlTx
  let pool: Pool

  before(async () => {
    await loadR4Definitions()
    const database = await testDatabase({ name: 'search' })
    pool = database.pool
    db = fromPg(pool)
    const connection = knex({ client: 'pg', connection: database.connectionString })
    await migrateServer(connection)
    await connection.destroy()
    for (const [n, resource] of stored.entries()) {
      await store(db, resource, `2024-01-01T00:00:0${n % 10}Z`)
    }
  })

  async function search(type: string, query: string, base = clientBaseUrl): Promise<Bundle> {
    const request = parseSearch(type, parseQuery(query))
    return searchResources(db, request, { clientBaseUrl: base, toAnswer: (one) => one })
  }

  async function ids(type: string, query: string): Promise<(string | undefined)[]> {
    return idsOf(await search(type, query))
  }

  const patients: { query: string; found: string[] }[] = [
    { query: '', found: ['ann', 'bob', 'cleo'] },
    { query: '_id=ann', found: ['ann'] },
    { query: '_id=ann,cleo,nobody', found: ['ann', 'cleo'] },
    { query: '_id:not=ann', found: ['bob', 'cleo'] },
    // string
    { query: 'family=mull', found: ['ann'] },
    { query: 'family=M%C3%BCLL', found: ['ann'] },
    { query: 'family=uller', found: [] },
    { query: 'family:contains=ULL', found: ['ann'] },
    { query: 'family:exact=M%C3%BCller', found: ['ann'] },
    { query: 'family:exact=Muller', found: [] },
    { query: 'family=100%25', found: ['bob'] },
    { query: 'family=1__', found: [] },
    { query: 'family=mull,smi,100', found: ['ann', 'bob'] },
    { query: String.raw`family=a\,b`, found: ['cleo'] },
    { query: String.raw`family=back\\slash`, found: ['cleo'] },
    { query: 'name=zo', found: ['ann'] },
    { query: 'name=zo&name=mull', found: ['ann'] },
    { query: 'name=zo&name=smith', found: [] },
    { query: 'address=bost', found: ['bob'] },
    { query: 'family:missing=true', found: [] },
    // token
    { query: 'identifier=1', found: ['ann', 'bob'] },
    { query: 'identifier=urn:a%7C1', found: ['ann'] },
    { query: 'identifier=%7C1', found: ['bob'] },
    { query: 'identifier=urn:a%7C', found: ['ann', 'cleo'] },
    { query: 'identifier=urn:a%7C1,urn:a%7C2', found: ['ann', 'cleo'] },
    { query: 'identifier=urn:A%7C1', found: [] },
    { query: 'identifier=ABC', found: [] },
    { query: 'identifier=abc', found: ['cleo'] },
    { query: String.raw`identifier=urn:a%7Cx\%7Cy`, found: ['cleo'] },
    { query: 'identifier:not=urn:a%7C1', found: ['bob', 'cleo'] },
    { query: 'gender=male', found: ['bob'] },
    { query: 'gender=MALE', found: ['bob'] },
    { query: 'gender=http://hl7.org/fhir/administrative-gender%7Cmale', found: ['bob'] },
    { query: 'gender:not=male', found: ['ann', 'cleo'] },
    { query: 'gender:missing=true', found: ['cleo'] },
    { query: 'gender:missing=false', found: ['ann', 'bob'] },
    { query: 'active=true', found: ['ann'] },
    { query: 'email=ANN@example.org', found: ['ann'] },
    { query: 'phone=ann@example.org', found: [] },
    { query: 'deceased=true', found: ['bob'] },
    { query: 'deceased=false', found: ['ann', 'cleo'] },
    { query: '_tag=urn:tags%7Ct1', found: ['bob'] },
    // uri
    { query: '_profile=http://p/one', found: ['ann'] },
    { query: '_profile=http://p/two', found: ['bob'] },
    { query: '_profile=http://p/two%7C1.0', found: ['bob'] },
    { query: '_profile=http://p/two%7C2.0', found: [] },
    { query: '_profile=http://p', found: [] },
    { query: '_profile:below=http://p', found: ['ann', 'bob'] },
    // date
    { query: 'birthdate=1980-05-05', found: ['ann'] },
    { query: 'birthdate=1980', found: ['ann'] },
    { query: 'birthdate=1990-07-03', found: [] },
    { query: 'birthdate=ne1980', found: ['bob'] },
    { query: 'birthdate=ge1980-05-05', found: ['ann', 'bob'] },
    { query: 'birthdate=gt1980-05-05', found: ['bob'] },
    { query: 'birthdate=le1980-05-05', found: ['ann'] },
    { query: 'birthdate=lt1980-05-05', found: [] },
    { query: 'birthdate=sa1980', found: ['bob'] },
    { query: 'birthdate=eb1990', found: ['ann'] },
    { query: 'birthdate=ap1990', found: ['bob'] },
    { query: 'birthdate=1980,1990', found: ['ann', 'bob'] },
    { query: 'birthdate=ge1980&birthdate=lt1985', found: ['ann'] },
    { query: 'birthdate:missing=true', found: ['cleo'] },
    { query: '_lastUpdated=2024', found: ['ann', 'bob', 'cleo'] },
    { query: '_lastUpdated=lt2024-01-01T00:00:01Z', found: ['ann'] },
    { query: '_lastUpdated=le2024-01-01T00:00:01Z', found: ['ann', 'bob'] },
    { query: '_lastUpdated=gt2024-01-01T00:00:01Z', found: ['cleo'] },
    { query: '_lastUpdated=ge9999', found: [] },
    { query: '_lastUpdated=ap2024', found: ['ann', 'bob', 'cleo'] },
    { query: '_lastUpdated=ne2024-01-01T00:00:00Z', found: ['bob', 'cleo'] },
    // reference
    { query: 'general-practitioner=Practitioner/d1', found: ['ann'] },
    { query: 'general-practitioner=d1', found: ['ann', 'bob'] },
    { query: 'general-practitioner:Organization=d1', found: ['bob'] },
    { query: 'general-practitioner:Organization=Practitioner/d1', found: [] },
    { query: `general-practitioner=${clientBaseUrl}/Practitioner/d1`, found: ['ann'] },
    { query: 'general-practitioner=http://other/fhir/Practitioner/d1', found: ['cleo'] },
    { query: 'organization=o1', found: ['cleo'] },
    // together, and what is ignored
    { query: 'family=mull&gender=female&identifier=urn:a%7C1', found: ['ann'] },
    { query: 'family=mull&gender=male', found: [] },
    {
      query: 'family=mull&_format=json&_pretty=true&mode=x&_totalMethod=count&_total=none&_=1',
      found: ['ann'],
    },
    { query: 'family=mull&_summary=true&_elements=name', found: ['ann'] },
    // order
    { query: '_sort=-_id', found: ['cleo', 'bob', 'ann'] },
    { query: '_sort=-_lastUpdated', found: ['cleo', 'bob', 'ann'] },
    { query: '_sort=-birthdate', found: ['bob', 'ann', 'cleo'] },
    { query: '_sort=gender,_id', found: ['ann', 'bob', 'cleo'] },
    { query: '_sort=family', found: ['bob', 'cleo', 'ann'] },
  ]
  for (const { query, found } of patients) {
    it(`Patient?${query} finds ${found.join(', ') || 'nothing'}`, async () => {
      const bundle = await search('Patient', query)
      assert.deepEqual(idsOf(bundle), found)
      assert.equal(bundle.total, found.length)
    })
  }

  const others = [
    { type: 'Observation', query: 'patient=ann', found: ['o1'] },
    { type: 'Observation', query: 'patient=Patient/ann', found: ['o1'] },
    { type: 'Observation', query: 'subject=ann', found: ['o1'] },
    { type: 'Observation', query: 'subject:Patient=g1', found: [] },
    { type: 'Observation', query: 'subject=Group/g1', found: ['o2'] },
    { type: 'Observation', query: 'code=http://loinc.org%7C85354-9', found: ['o1', 'o2'] },
    { type: 'Observation', query: 'combo-code=8480-6', found: ['o1'] },
    { type: 'Observation', query: 'date=ge2020-03-02&date=le2020-03-02', found: ['o1'] },
    { type: 'Observation', query: 'date=2020-03', found: ['o1', 'o2'] },
    { type: 'Observation', query: 'date=gt2020-03-20', found: ['o2'] },
    { type: 'Observation', query: 'value-string=high', found: ['o2'] },
    { type: 'Encounter', query: 'date=ge2999', found: ['e1'] },
    { type: 'Encounter', query: 'date=lt2020', found: [] },
    { type: 'QuestionnaireResponse', query: 'questionnaire=http://q', found: ['q1'] },
    { type: 'QuestionnaireResponse', query: 'questionnaire=http://q%7C2', found: ['q1'] },
    { type: 'QuestionnaireResponse', query: 'questionnaire=http://q%7C3', found: [] },
    { type: 'CapabilityStatement', query: 'mode=server', found: ['c1'] },
    { type: 'CapabilityStatement', query: 'mode=client', found: [] },
    { type: 'Basic', query: 'author=ann', found: [] },
  ]
  for (const { type, query, found } of others) {
    it(`${type}?${query} finds ${found.join(', ') || 'nothing'}`, async () => {
      assert.deepEqual(await ids(type, query), found)
    })
  }

  const refused = [
    { query: 'nothing=1', names: 'nothing' },
    { query: 'constructor=1', names: 'constructor' },
    { query: '__proto__=1', names: '__proto__' },
    { query: 'phonetic=x', names: 'phonetic' },
    { query: '_text=x', names: '_text' },
    { query: '_type=Patient', names: '_type' },
    { query: 'family:sounds=x', names: 'family' },
    { query: 'identifier:of-type=a', names: 'identifier' },
    { query: 'gender:in=x', names: 'gender' },
    { query: 'organization:Patient=1', names: 'organization' },
    { query: 'organization.name=x', names: 'organization.name' },
    { query: 'organization:Organization.name=x', names: 'organization:Organization.name' },
    { query: '_has:Observation:patient:code=x', names: '_has' },
    { query: '_include=Patient:organization', names: '_include' },
    { query: '_revinclude:iterate=Observation:subject', names: '_revinclude' },
    { query: '_count=many', names: '_count' },
    { query: '_count=-1', names: '_count' },
    { query: '_offset=1.5', names: '_offset' },
    { query: '_sort=nothing', names: 'nothing' },
    { query: '_sort=', names: '_sort' },
    { query: 'birthdate=never', names: 'birthdate' },
    { query: 'birthdate=2020,gtnever', names: 'birthdate' },
    { query: '_lastUpdated=gtnever', names: '_lastUpdated' },
    { query: 'family=', names: 'family' },
    { query: 'gender:missing=maybe', names: 'gender' },
    { query: `family=${'a,'.repeat(600)}a`, names: 'family' },
    { query: 'family=a&'.repeat(101), names: '100' },
  ]
  for (const { query, names } of refused) {
    it(`Patient?${query.slice(0, 60)} is refused by name`, async () => {
      await assert.rejects(search('Patient', query), (error: unknown) => {
        assert.ok(error instanceof OperationOutcomeError)
        assert.equal(error.outcome.id, 'bad-request')
        assert.ok(error.outcome.issue[0]?.details?.text?.includes(names))
        return true
      })
    })
  }

  it('pages without gap or overlap, with links on the base that the client used', async () => {
    const first = await search('Patient', 'name:contains=a&_sort=-_id&_count=2')
    assert.deepEqual([first.total, idsOf(first)], [3, ['cleo', 'bob']])
    assert.deepEqual(first.link, [
      {
        relation: 'self',
        url: `${clientBaseUrl}/Patient?name:contains=a&_sort=-_id&_count=2`,
      },
      {
        relation: 'next',
        url: `${clientBaseUrl}/Patient?name:contains=a&_sort=-_id&_count=2&_offset=2`,
      },
    ])
    const second = await search('Patient', 'name:contains=a&_sort=-_id&_count=2&_offset=2')
    assert.deepEqual([second.total, idsOf(second)], [3, ['ann']])
    assert.ok(!second.link?.some(({ relation }) => relation === 'next'))
    const beyond = await search('Patient', '_count=2&_offset=20')
    assert.deepEqual([beyond.total, beyond.entry], [3, undefined])
    assert.equal(first.entry?.[0]?.fullUrl, `${clientBaseUrl}/Patient/cleo`)
    assert.equal(first.entry[0].search?.mode, 'match')
  })

  it('links keep what a value has escaped', async () => {
    const bundle = await search('Patient', String.raw`family=a\,b%26c&identifier=urn:a%7C1`)
    const url = new URL(bundle.link?.[0]?.url ?? '')
    assert.equal(url.searchParams.get('family'), String.raw`a\,b&c`)
    assert.equal(url.searchParams.get('identifier'), 'urn:a|1')
  })

  for (const query of ['_count=0', '_summary=count']) {
    it(`${query} answers the total alone`, async () => {
      const bundle = await search('Patient', query)
      assert.deepEqual([bundle.total, bundle.entry, bundle.link?.length], [3, undefined, 1])
    })
  }

  it('understands requests that core has parsed', async () => {
    const answer = async (type: 'Patient', query: string) =>
      idsOf(
        await searchResources(db, parseSearchRequest(`${type}?${query}`), {
          clientBaseUrl,
          toAnswer: (one) => one,
        }),
      )
    assert.deepEqual(await answer('Patient', 'birthdate=gt1980-05-05'), ['bob'])
    assert.deepEqual(await answer('Patient', 'family:exact=Müller'), ['ann'])
    assert.deepEqual(await answer('Patient', 'gender:missing=true&mode=x'), ['cleo'])
    assert.deepEqual(await answer('Patient', 'identifier=gt12'), [])
    for (const query of ['nothing=1', '_include=Patient:organization', '_count=many']) {
      await assert.rejects(answer('Patient', query), OperationOutcomeError, query)
    }
  })

  it('finds a resource as it is now, and not once it is deleted', async () => {
    const basic = { resourceType: 'Basic', id: 'b', code: { coding: [{ code: 'one' }] } }
    await store(db, basic, '2024-01-01T00:00:00Z')
    const changed = { ...basic, code: { coding: [{ code: 'two' }] } }
    await writeSearchIndex(db, changed, false)
    assert.deepEqual([await ids('Basic', 'code=one'), await ids('Basic', 'code=two')], [[], ['b']])
    await writeSearchIndex(db, { resourceType: 'Basic', id: 'b' }, false)
    assert.deepEqual(await ids('Basic', 'code=two'), [])
    await writeSearchIndex(db, changed, false)
    await removeFromSearchIndex(db, 'Basic', 'b')
    assert.deepEqual(await ids('Basic', 'code=two'), [])
    await db.query(
      `update ${resourceTables.current} set deleted = true where type = 'Basic' and id = 'b'`,
    )
    assert.deepEqual(await ids('Basic', ''), [])
  })

  it('indexes values of any length and any characters', async () => {
    const long = 'ü😀{"\\,'.repeat(2000)
    const value = `http://x/${long}`
    const basic = {
      resourceType: 'Basic',
      id: 'long',
      identifier: [{ system: long, value: long }, { value: 'NULL' }, { value: '{}' }],
      meta: { profile: [value], source: value },
    }
    await store(db, basic, '2024-01-01T00:00:00Z')
    const escaped = encodeURIComponent(long.replaceAll('\\', '\\\\').replaceAll(',', '\\,'))
    assert.deepEqual(await ids('Basic', `identifier=${escaped}`), ['long'])
    assert.deepEqual(await ids('Basic', `_profile=http://x/${escaped}`), ['long'])
    assert.deepEqual(await ids('Basic', `_profile=http://x/${escaped}x`), [])
    assert.deepEqual(await ids('Basic', 'identifier=NULL'), ['long'])
    assert.deepEqual(await ids('Basic', 'identifier={}'), ['long'])
  })

  it('reads through its indexes', async () => {
    await pool.query(
      `insert into ${resourceTables.current} (type, id, version_id, last_updated, deleted, content)
       select 'Device', 'd' || n, 1, now(), false, '{"resourceType":"Device"}'
         from generate_series(1, 20000) n`,
    )
    await pool.query(
      `insert into fhir_search_term (type, id, parameter, value, low, high)
       select 'Device', 'd' || n, p, case when p <> 'date' then 'v' || n end,
              case when p = 'date' then n end, case when p = 'date' then n + 1 end
         from generate_series(1, 20000) n, unnest(array['identifier', 'device-name', 'patient', 'date']) p`,
    )
    await pool.query(`analyze ${resourceTables.current}; analyze fhir_search_term`)
    const plans: string[] = []
    const explaining: SqlTx = fromPg({
      query: async (text, values) => {
        const { rows } = await pool.query<{ 'QUERY PLAN': string }>(`explain ${text}`, values)
        plans.push(rows.map((row) => row['QUERY PLAN']).join('\n'))
        return { rows: [], rowCount: 0 }
      },
    })
    for (const query of [
      'identifier=v77',
      'identifier=v77,v78',
      'device-name=v777',
      'patient=v77',
      'identifier=v77&patient=v77',
      '_id=d7',
    ]) {
      plans.length = 0
      const request = parseSearch('Device', parseQuery(query))
      await searchResources(explaining, request, { clientBaseUrl, toAnswer: (one) => one })
      assert.ok(plans.length > 0)
      for (const plan of plans) assert.doesNotMatch(plan, /Seq Scan/, `${query}\n${plan}`)
    }
  })
})

function idsOf({ entry }: Bundle): (string | undefined)[] {
  return (entry ?? []).map(({ resource }) => resource?.id)
}

async function store(db: SqlTx, resource: FhirResource, lastUpdated: string): Promise<void> {
  await db.query(
    `insert into ${resourceTables.current} (type, id, version_id, last_updated, deleted, content)
     values ($1, $2, 1, $3, false, $4)`,
    [resource.resourceType, resource.id, lastUpdated, JSON.stringify(resource)],
  )
  await writeSearchIndex(db, resource, true)
}

const loinc = (code: string) => ({ coding: [{ system: 'http://loinc.org', code }] })

const stored: readonly FhirResource[] = [
  {
    resourceType: 'Patient',
    id: 'ann',
    meta: { profile: ['http://p/one'] },
    active: true,
    identifier: [{ system: 'urn:a', value: '1' }],
    name: [{ family: 'Müller', given: ['Zoë', 'Ann'] }],
    telecom: [{ system: 'email', value: 'ann@example.org' }],
    gender: 'female',
    birthDate: '1980-05-05',
    generalPractitioner: [{ reference: 'Practitioner/d1' }],
  },
  {
    resourceType: 'Patient',
    id: 'bob',
    meta: { profile: ['http://p/two|1.0'], tag: [{ system: 'urn:tags', code: 't1' }] },
    identifier: [{ value: '1' }],
    name: [{ family: '100% Smith', given: ['Bob', 'Max'] }],
    gender: 'male',
    birthDate: '1990-07',
    deceasedDateTime: '2020-01-01',
    address: [{ city: 'Boston' }],
    generalPractitioner: [{ reference: 'Organization/d1' }],
  },
  {
    resourceType: 'Patient',
    id: 'cleo',
    identifier: [
      { system: 'urn:a', value: '2' },
      { system: 'urn:a', value: 'x|y' },
      { value: 'abc' },
    ],
    name: [{ family: 'A,B & co' }, { family: 'back\\slash' }],
    deceasedBoolean: false,
    generalPractitioner: [{ reference: 'http://other/fhir/Practitioner/d1' }],
    managingOrganization: { reference: `${clientBaseUrl}/Organization/o1` },
  },
  {
    resourceType: 'Observation',
    id: 'o1',
    status: 'final',
    code: loinc('85354-9'),
    subject: { reference: 'Patient/ann' },
    effectiveDateTime: '2020-03-02T10:00:00+01:00',
    component: [{ code: loinc('8480-6') }, { code: loinc('8462-4') }],
  },
  {
    resourceType: 'Observation',
    id: 'o2',
    status: 'final',
    code: loinc('85354-9'),
    subject: { reference: 'Group/g1' },
    effectivePeriod: { start: '2020-03-10', end: '2020-03-31' },
    valueString: 'High',
  },
  {
    resourceType: 'Encounter',
    id: 'e1',
    status: 'in-progress',
    period: { start: '2020-01-01' },
  },
  { resourceType: 'QuestionnaireResponse', id: 'q1', questionnaire: 'http://q|2' },
  { resourceType: 'CapabilityStatement', id: 'c1', rest: [{ mode: 'server' }] },
]
