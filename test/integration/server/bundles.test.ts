import assert from 'node:assert/strict'
import { after, before, describe, it } from 'node:test'
import { destinationResource } from '../../helpers/topic-resources.ts'
import { call, testServer, type Answer, type FhirBody, type TestServer } from './http-server.ts'

const uuid = (n: number) => `urn:uuid:00000000-0000-4000-8000-${String(n).padStart(12, '0')}`

describe('bundles', () => {
  let tested: TestServer
  before(async (t) => {
    tested = await testServer({ name: t.name })
  })
  after(async () => {
    await tested.server.close()
  })

  const send = (type: string, entry: unknown, headers = {}) =>
    call(tested.url, 'POST', { resourceType: 'Bundle', type, entry }, headers)
  const get = (path: string) => call(`${tested.url}/${path}`, 'GET')
  const count = async (query: string) => (await get(query)).body.total
  const create = async (resource: { resourceType: string; [element: string]: unknown }) => {
    const answer = await call(`${tested.url}/${resource.resourceType}`, 'POST', resource)
    assert.equal(answer.status, 201, answer.text)
    return answer.body as FhirBody & { readonly id: string }
  }
  const statuses = ({ body }: Answer) => body.entry?.map(({ response }) => response?.status)
  const located = ({ body }: Answer, position: number) =>
    /([A-Z][A-Za-z]+\/[^/]+)/.exec(body.entry?.[position]?.response?.location ?? '')?.[1]
  const post = (resource: { resourceType: string; [element: string]: unknown }, more = {}) => ({
    resource,
    request: { method: 'POST', url: resource.resourceType },
    ...more,
  })
  const patient = (value: string, more = {}) => ({
    resourceType: 'Patient',
    identifier: [{ system: 'http://example.org/mrn', value }],
    ...more,
  })
  const observation = (reference: string, more = {}) => ({
    resourceType: 'Observation',
    status: 'final',
    code: { text: 'weight' },
    subject: { reference },
    ...more,
  })
  const destination = (id: string) =>
    destinationResource(id, 'kafka-best-effort', 'any', 'events', 'localhost:9092')

  function assertRefused(answer: Answer, status: number, expression: string) {
    assert.equal(answer.status, status, answer.text)
    assert.equal(answer.body.resourceType, 'OperationOutcome')
    assert.deepEqual(answer.body.issue?.[0]?.expression, [expression], answer.text)
  }

  describe('a transaction', () => {
    it('of a whole record, as generators of patients write them', async () => {
      const answer = await send('transaction', [
        post(patient('whole'), { fullUrl: uuid(1) }),
        post({ resourceType: 'Organization', name: 'Clinic' }, { fullUrl: uuid(2) }),
        post({ resourceType: 'Practitioner', name: [{ family: 'House' }] }, { fullUrl: uuid(3) }),
        post(
          {
            resourceType: 'Encounter',
            status: 'finished',
            class: { code: 'AMB' },
            subject: { reference: uuid(1) },
            participant: [{ individual: { reference: uuid(3) } }],
            serviceProvider: { reference: uuid(2) },
          },
          { fullUrl: uuid(4) },
        ),
        post(
          {
            resourceType: 'Claim',
            contained: [
              {
                resourceType: 'Coverage',
                id: 'coverage',
                status: 'active',
                beneficiary: { reference: uuid(1) },
                payor: [{ display: 'Aetna' }],
              },
            ],
            status: 'active',
            type: { coding: [{ code: 'institutional' }] },
            use: 'claim',
            patient: { reference: uuid(1) },
            created: '2020-01-01T00:00:00+00:00',
            provider: { reference: uuid(2) },
            priority: { coding: [{ code: 'normal' }] },
            insurance: [{ sequence: 1, focal: true, coverage: { reference: '#coverage' } }],
            item: [
              {
                sequence: 1,
                productOrService: { text: 'Encounter' },
                encounter: [{ reference: uuid(4) }],
              },
            ],
          },
          { fullUrl: uuid(5) },
        ),
      ])
      assert.equal(answer.status, 200, answer.text)
      assert.equal(answer.body.type, 'transaction-response')
      assert.deepEqual(statuses(answer), ['201', '201', '201', '201', '201'])
      assert.doesNotMatch(answer.text, /urn:uuid/)
      const claim = (await get(located(answer, 4) ?? '')).body
      assert.deepEqual(claim['patient'], { reference: located(answer, 0) })
      assert.deepEqual(claim['insurance'], [
        { sequence: 1, focal: true, coverage: { reference: '#coverage' } },
      ])
      const [contained] = claim['contained'] as [{ beneficiary: unknown }]
      assert.deepEqual(contained.beneficiary, { reference: located(answer, 0) })
    })

    it('is processed DELETE, POST, PUT, PATCH, GET, and answers in the order of its entries', async () => {
      const old = await create(patient('order'))
      const kept = await create(patient('kept'))
      const answer = await send('transaction', [
        { request: { method: 'GET', url: 'Patient?identifier=order' } },
        { request: { method: 'HEAD', url: `Patient/${kept.id}` } },
        {
          resource: [{ op: 'add', path: '/gender', value: 'female' }],
          request: { method: 'PATCH', url: `Patient/${kept.id}`, ifMatch: 'W/"1"' },
        },
        post(patient('order')),
        { request: { method: 'DELETE', url: `Patient/${old.id}` } },
        { request: { method: 'GET', url: `Patient/${kept.id}`, ifNoneMatch: 'W/"2"' } },
      ])
      assert.equal(answer.status, 200, answer.text)
      assert.deepEqual(statuses(answer), ['200', '200', '200', '201', '204', '304'])
      const [found, head, patched, created] = answer.body.entry ?? []
      assert.equal(found?.resource?.total, 1)
      assert.equal(found.resource.entry?.[0]?.resource?.id, created?.resource?.id)
      assert.equal(head?.resource, undefined)
      assert.equal(patched?.resource?.['gender'], 'female')
    })

    it('answers location, etag and lastModified, and the resource unless the client prefers less', async () => {
      const entry = [post(patient('prefer'))]
      const [whole] = (await send('transaction', entry)).body.entry ?? []
      const { id, meta } = whole?.resource ?? {}
      assert.deepEqual(whole?.response, {
        status: '201',
        location: `Patient/${id}/_history/1`,
        etag: 'W/"1"',
        lastModified: meta?.lastUpdated,
      })
      const minimal = await send('transaction', entry, { prefer: 'return=minimal' })
      assert.equal(minimal.body.entry?.[0]?.resource, undefined)
      assert.match(minimal.body.entry?.[0]?.response?.location ?? '', /^Patient\/.+\/_history\/1$/)
      const outcome = await send('transaction', entry, { prefer: 'return=OperationOutcome' })
      assert.equal(outcome.body.entry?.[0]?.response?.outcome?.resourceType, 'OperationOutcome')
    })

    it('stores nothing when an entry fails, and says which', async () => {
      const changesBefore = tested.module.changes.length
      const refused = await send('transaction', [
        post(patient('nothing')),
        post(patient('nothing', { gender: 3 })),
      ])
      assertRefused(refused, 400, 'Bundle.entry[1].resource.gender')
      const missing = await send('transaction', [
        post(patient('nothing')),
        { request: { method: 'GET', url: 'Patient/never' } },
      ])
      assertRefused(missing, 404, 'Bundle.entry[1]')
      const stale = await create(patient('stale'))
      const conflict = await send('transaction', [
        post(patient('nothing')),
        {
          resource: patient('nothing', { id: stale.id }),
          request: { method: 'PUT', url: `Patient/${stale.id}`, ifMatch: 'W/"9"' },
        },
      ])
      assertRefused(conflict, 412, 'Bundle.entry[1]')
      assert.equal(await count('Patient?identifier=nothing'), 0)
      assert.equal(tested.module.changes.length, changesBefore + 1)
    })

    it('of a module names the element of its type', async () => {
      const bad = { ...destination('bad'), parameter: [{ name: 'nobodyKnows', valueString: 'x' }] }
      const answer = await send('transaction', [
        post(patient('module')),
        { resource: bad, request: { method: 'PUT', url: 'AidboxTopicDestination/bad' } },
      ])
      assert.equal(answer.status, 422, answer.text)
      const [expression = ''] = answer.body.issue?.[0]?.expression ?? []
      assert.match(expression, /^Bundle\.entry\[1\]\.resource\.parameter/)
    })

    it('gives resources of R4 a new id, and keeps the id of a type of a module', async () => {
      const answer = await send('transaction', [
        post(patient('ids', { id: 'mine' })),
        post(destination('kept-in-bundle')),
      ])
      assert.equal(answer.status, 200, answer.text)
      assert.notEqual(located(answer, 0), 'Patient/mine')
      assert.equal(located(answer, 1), 'AidboxTopicDestination/kept-in-bundle')
      const again = await send('transaction', [post(destination('kept-in-bundle'))])
      assertRefused(again, 409, 'Bundle.entry[0]')
    })

    it('replaces fullUrls in urls, queries and patches', async () => {
      const kept = await create(observation('Patient/before'))
      const answer = await send('transaction', [
        post(patient('in-url'), { fullUrl: uuid(1) }),
        post(observation(uuid(1))),
        {
          resource: [{ op: 'replace', path: '/subject', value: { reference: uuid(1) } }],
          request: { method: 'PATCH', url: `Observation/${kept.id}` },
        },
        { request: { method: 'GET', url: `Observation?subject=${encodeURIComponent(uuid(1))}` } },
      ])
      assert.equal(answer.status, 200, answer.text)
      assert.equal(answer.body.entry?.[3]?.resource?.total, 2)
    })

    it('takes a JSON Patch in a Binary, and a FHIRPath Patch', async () => {
      const { id } = await create(patient('patched'))
      const json = JSON.stringify([{ op: 'add', path: '/gender', value: 'male' }])
      const binary = {
        resourceType: 'Binary',
        contentType: 'application/json-patch+json',
        data: Buffer.from(json).toString('base64'),
      }
      const parameters = {
        resourceType: 'Parameters',
        parameter: [
          {
            name: 'operation',
            part: [
              { name: 'type', valueCode: 'replace' },
              { name: 'path', valueString: 'Patient.gender' },
              { name: 'value', valueCode: 'other' },
            ],
          },
        ],
      }
      for (const [resource, gender] of [
        [binary, 'male'],
        [parameters, 'other'],
      ] as const) {
        const request = { method: 'PATCH', url: `Patient/${id}` }
        const answer = await send('transaction', [{ resource, request }])
        assert.equal(answer.status, 200, answer.text)
        assert.equal(answer.body.entry?.[0]?.resource?.['gender'], gender)
      }
    })

    it('runs operations', async () => {
      await call(`${tested.url}/AidboxTopicDestination/op`, 'PUT', destination('op'))
      const answer = await send('transaction', [
        { request: { method: 'GET', url: 'AidboxTopicDestination/op/$status' } },
        { resource: patient('v'), request: { method: 'POST', url: 'Patient/$validate' } },
      ])
      assert.equal(answer.status, 200, answer.text)
      const [status, validated] = answer.body.entry ?? []
      assert.equal(status?.resource?.resourceType, 'Parameters')
      const outcome = validated?.resource ?? validated?.response?.outcome
      assert.equal(outcome?.resourceType, 'OperationOutcome')
    })

    it('runs none that changes something, which no rollback would take back; a batch does', async () => {
      await call(`${tested.url}/AidboxTopicDestination/op`, 'PUT', destination('op'))
      const discard = { request: { method: 'POST', url: 'AidboxTopicDestination/op/$discard' } }
      const known = tested.module.calls.length
      const answer = await send('transaction', [post(patient('undone')), discard])
      assertRefused(answer, 422, 'Bundle.entry[1].request.url')
      assert.match(answer.text, /\$discard cannot be undone with a transaction/)
      assert.equal(await count('Patient?identifier=undone'), 0)
      assert.deepEqual(tested.module.calls.slice(known), [])
      assert.deepEqual(statuses(await send('batch', [discard])), ['200'])
      assert.deepEqual(tested.module.calls.slice(known), ['discard op'])
    })

    it('waits for another one that writes the same resources in another order', async () => {
      const entry = Array.from({ length: 10 }, (_, n) => n)
      const answers = await Promise.all(
        Array.from({ length: 6 }, (_, round) =>
          send(
            'transaction',
            (round % 2 === 0 ? entry : entry.toReversed()).map((n) => ({
              resource: patient(`round-${round}`, { id: `contended-${n}` }),
              request: { method: 'PUT', url: `Patient/contended-${n}` },
            })),
          ),
        ),
      )
      assert.deepEqual(
        answers.map(({ status }) => status),
        [200, 200, 200, 200, 200, 200],
      )
      const rounds = Array.from({ length: 6 }, (_, round) =>
        count(`Patient?identifier=round-${round}`),
      )
      assert.equal((await Promise.all(rounds)).filter((total) => total === 10).length, 1)
    })

    it('has no limit of its own: 60 updates, 20 conditional entries', async () => {
      const updates = Array.from({ length: 60 }, (_, n) => ({
        resource: patient(`many-${n}`, { id: `many-${n}` }),
        request: { method: 'PUT', url: `Patient/many-${n}` },
      }))
      const creates = Array.from({ length: 20 }, (_, n) => ({
        resource: patient(`once-${n}`),
        request: { method: 'POST', url: 'Patient', ifNoneExist: `identifier=once-${n}` },
      }))
      const entry = [...updates, ...creates]
      const first = await send('transaction', entry)
      assert.equal(first.status, 200, first.text)
      assert.deepEqual(new Set(statuses(first)), new Set(['201']))
      const second = await send('transaction', entry)
      assert.deepEqual(new Set(statuses(second)), new Set(['200']))
    })
  })

  describe('conditional entries', () => {
    it('resolve to what exists, and references follow', async () => {
      const existing = await create(patient('cond'))
      const condition = 'identifier=http://example.org/mrn|cond'
      const answer = await send('transaction', [
        post(observation(uuid(1))),
        {
          fullUrl: uuid(1),
          resource: patient('cond'),
          request: { method: 'POST', url: 'Patient', ifNoneExist: condition },
        },
        {
          fullUrl: uuid(2),
          resource: patient('cond-new'),
          request: { method: 'PUT', url: 'Patient?identifier=cond-new' },
        },
        post(observation(uuid(2))),
      ])
      assert.equal(answer.status, 200, answer.text)
      assert.deepEqual(statuses(answer), ['201', '200', '201', '201'])
      assert.equal(answer.body.entry?.[1]?.resource?.id, existing.id)
      const subjects = [0, 3].map((n) => answer.body.entry?.[n]?.resource?.['subject'])
      assert.deepEqual(subjects, [
        { reference: `Patient/${existing.id}` },
        { reference: located(answer, 2) },
      ])
      const second = await send('transaction', [
        {
          resource: patient('cond-new', { gender: 'male' }),
          request: { method: 'PUT', url: 'Patient?identifier=cond-new' },
        },
      ])
      assert.deepEqual(statuses(second), ['200'])
      assert.equal(located(second, 0), located(answer, 2))
    })

    it('patch, delete, and delete of nothing', async () => {
      const { id } = await create(patient('cond-patch'))
      await create(patient('cond-delete'))
      const answer = await send('transaction', [
        {
          resource: { gender: 'male' },
          request: { method: 'PATCH', url: 'Patient?identifier=cond-patch' },
        },
        { request: { method: 'DELETE', url: 'Patient?identifier=cond-delete' } },
        { request: { method: 'DELETE', url: 'Patient?identifier=cond-nobody' } },
      ])
      assert.deepEqual(statuses(answer), ['200', '204', '204'], answer.text)
      assert.equal((await get(`Patient/${id}`)).body['gender'], 'male')
      assert.equal(await count('Patient?identifier=cond-delete'), 0)
    })

    it('may name the id of another entry, conditional or not', async () => {
      const entry = [
        {
          resource: observation(uuid(1)),
          request: { method: 'POST', url: 'Observation', ifNoneExist: `subject=${uuid(1)}` },
        },
        {
          fullUrl: uuid(1),
          resource: patient('chain'),
          request: { method: 'POST', url: 'Patient', ifNoneExist: 'identifier=chain' },
        },
      ]
      assert.deepEqual(statuses(await send('transaction', entry)), ['201', '201'])
      assert.deepEqual(statuses(await send('transaction', entry)), ['200', '200'])
    })

    it('that clash or match several are refused by name', async () => {
      await create(patient('twins'))
      const twin = await create(patient('twins'))
      const ifNoneExist = 'identifier=twins'
      const several = await send('transaction', [
        { resource: patient('twins'), request: { method: 'POST', url: 'Patient', ifNoneExist } },
      ])
      assertRefused(several, 412, 'Bundle.entry[0].request.ifNoneExist')
      const none = await send('transaction', [
        { resource: [], request: { method: 'PATCH', url: 'Patient?identifier=nobody' } },
      ])
      assertRefused(none, 404, 'Bundle.entry[0].request.url')
      const unknown = await send('transaction', [
        { request: { method: 'DELETE', url: 'Patient?nobody-knows=1' } },
      ])
      assertRefused(unknown, 400, 'Bundle.entry[0].request.url')
      const same = await send('transaction', [
        {
          resource: patient('clash'),
          request: { method: 'POST', url: 'Patient', ifNoneExist: 'identifier=clash' },
        },
        {
          resource: patient('clash'),
          request: { method: 'POST', url: 'Patient', ifNoneExist: 'identifier=clash' },
        },
      ])
      assertRefused(same, 400, 'Bundle.entry[1].request.ifNoneExist')
      const overlap = await send('transaction', [
        { request: { method: 'DELETE', url: `Patient/${twin.id}` } },
        {
          resource: patient('x'),
          request: { method: 'PUT', url: `Patient?_id=${twin.id}&identifier=twins` },
        },
        {
          resource: patient('x', { id: twin.id }),
          request: { method: 'PUT', url: `Patient/${twin.id}` },
        },
      ])
      assert.equal(overlap.status, 400, overlap.text)
      assert.equal(await count('Patient?identifier=twins'), 2)
    })

    it('racing for one condition create one resource', async () => {
      const entry = [
        {
          resource: patient('race'),
          request: { method: 'POST', url: 'Patient', ifNoneExist: 'identifier=race' },
        },
      ]
      const answers = await Promise.all(Array.from({ length: 6 }, () => send('transaction', entry)))
      assert.deepEqual(
        answers.map((answer) => statuses(answer)?.[0]).filter((status) => status !== '200'),
        ['201'],
        answers.map(({ text }) => text).join('\n'),
      )
      assert.equal(await count('Patient?identifier=race'), 1)
    })
  })

  describe('conditional references', () => {
    it('find what exists and what the bundle creates', async () => {
      const existing = await create(patient('ref'))
      const answer = await send('transaction', [
        post(observation('Patient?identifier=http://example.org/mrn|ref')),
        post(observation('Patient?identifier=ref-new')),
        post(patient('ref-new')),
      ])
      assert.equal(answer.status, 200, answer.text)
      const subjects = [0, 1].map((n) => answer.body.entry?.[n]?.resource?.['subject'])
      assert.deepEqual(subjects, [
        { reference: `Patient/${existing.id}` },
        { reference: located(answer, 2) },
      ])
    })

    it('must match exactly one resource', async () => {
      await create(patient('ref-twins'))
      await create(patient('ref-twins'))
      const path = 'Bundle.entry[1].resource.subject.reference'
      for (const [reference, status] of [
        ['Patient?identifier=ref-nobody', 400],
        ['Patient?identifier=ref-twins', 412],
        ['Patient?nobody-knows=1', 400],
        ['Patient?_count=1', 400],
        ['Nothing?identifier=1', 400],
      ] as const) {
        const entry = [post(patient('ref-nothing')), post(observation(reference))]
        assertRefused(await send('transaction', entry), status, path)
      }
      assert.equal(await count('Patient?identifier=ref-nothing'), 0)
    })
  })

  describe('a batch', () => {
    it('answers each entry for itself, in the order of the entries', async () => {
      const answer = await send('batch', [
        post(patient('batch')),
        post(patient('batch', { gender: 3 })),
        null,
        { request: { method: 'GET', url: 'Patient/never' } },
        { request: { method: 'GET', url: 'Patient?identifier=batch' } },
        { resource: patient('batch'), request: { method: 'TRACE', url: 'Patient' } },
        { request: { method: 'PUT', url: 'AidboxTopicDestination/x/$status' } },
        post(patient('batch')),
      ])
      assert.equal(answer.status, 200, answer.text)
      assert.equal(answer.body.type, 'batch-response')
      assert.deepEqual(statuses(answer), ['201', '400', '400', '404', '200', '400', '400', '201'])
      assert.equal(answer.body.entry?.[4]?.resource?.total, 1)
      assert.equal(await count('Patient?identifier=batch'), 2)
      assert.deepEqual(
        [1, 2, 5].map((n) => answer.body.entry?.[n]?.response?.outcome?.issue[0]?.expression),
        [
          ['Bundle.entry[1].resource.gender'],
          ['Bundle.entry[2]'],
          ['Bundle.entry[5].request.method'],
        ],
      )
    })

    it('re-creates a resource of a module by DELETE and POST, the first time too', async () => {
      for (const round of [1, 2]) {
        const answer = await send('batch', [
          { request: { method: 'DELETE', url: '/AidboxTopicDestination/again' } },
          {
            resource: destination('again'),
            request: { method: 'POST', url: '/AidboxTopicDestination' },
          },
        ])
        assert.deepEqual(statuses(answer), ['204', '201'], `${round} ${answer.text}`)
        assert.equal(located(answer, 1), 'AidboxTopicDestination/again')
      }
      const missing = await send('batch', [{ request: { method: 'DELETE', url: 'Patient/never' } }])
      assert.deepEqual(statuses(missing), ['404'])
    })

    it('takes conditions, and references to entries before that succeeded', async () => {
      const answer = await send('batch', [
        {
          fullUrl: uuid(1),
          resource: patient('batch-cond'),
          request: { method: 'POST', url: 'Patient', ifNoneExist: 'identifier=batch-cond' },
        },
        post(observation(uuid(1))),
        post(observation(uuid(2))),
        post(patient('late'), { fullUrl: uuid(2) }),
        post(observation('Patient?identifier=batch-cond')),
      ])
      assert.deepEqual(statuses(answer), ['201', '201', '400', '201', '201'], answer.text)
      for (const n of [1, 4]) {
        const subject = answer.body.entry?.[n]?.resource?.['subject']
        assert.deepEqual(subject, { reference: located(answer, 0) })
      }
      assert.deepEqual(answer.body.entry?.[2]?.response?.outcome?.issue[0]?.expression, [
        'Bundle.entry[2].resource.subject.reference',
      ])
    })

    it('with the full URLs of another server', async () => {
      const base = 'http://elsewhere.example.org/fhir'
      const answer = await send('batch', [
        {
          fullUrl: `${base}/Observation/moved`,
          resource: { id: 'moved', ...observation('Patient/moved') },
          request: { method: 'PUT', url: 'Observation/moved' },
        },
        {
          fullUrl: `${base}/Patient/moved`,
          resource: patient('moved', { id: 'moved' }),
          request: { method: 'PUT', url: 'Patient/moved' },
        },
      ])
      assert.deepEqual(statuses(answer), ['201', '201'], answer.text)
    })
  })

  describe('a malformed bundle', () => {
    const get1 = { method: 'GET', url: 'Patient/1' }
    const cases: [what: string, entry: unknown, expression: string, status?: number][] = [
      ['no entries', undefined, 'Bundle.entry'],
      ['entries that are no array', {}, 'Bundle.entry'],
      ['an empty array', [], 'Bundle.entry'],
      ['an entry that is null', [{ request: get1 }, null], 'Bundle.entry[1]'],
      ['an entry without a request', [{ resource: {} }], 'Bundle.entry[0].request'],
      ['a request without a method', [{ request: { url: 'x' } }], 'Bundle.entry[0].request.method'],
      ['no url', [{ request: { method: 'GET' } }], 'Bundle.entry[0].request.url'],
      [
        'a url that is no string',
        [{ request: { method: 'GET', url: 3 } }],
        'Bundle.entry[0].request.url',
      ],
      [
        'a nested bundle',
        [{ resource: {}, request: { method: 'POST', url: '/' } }],
        'Bundle.entry[0].request.url',
      ],
      [
        'an absolute url',
        [{ request: { method: 'GET', url: 'http://a/fhir/Patient' } }],
        'Bundle.entry[0].request.url',
      ],
      [
        'broken encoding',
        [{ request: { method: 'GET', url: 'Patient/%' } }],
        'Bundle.entry[0].request.url',
      ],
      [
        'U+0000 in a query',
        [{ request: { method: 'GET', url: 'Patient?a=%00' } }],
        'Bundle.entry[0].request.url',
      ],
      [
        'a create without a resource',
        [{ request: { method: 'POST', url: 'Patient' } }],
        'Bundle.entry[0].resource',
      ],
      [
        'a resource of another type',
        [
          {
            resource: { resourceType: 'Observation' },
            request: { method: 'POST', url: 'Patient' },
          },
        ],
        'Bundle.entry[0].resource.resourceType',
      ],
      [
        'another id than in the url',
        [{ resource: { id: 'b' }, request: { method: 'PUT', url: 'Patient/a' } }],
        'Bundle.entry[0].resource.id',
      ],
      [
        'a patch that is none',
        [
          {
            resource: { resourceType: 'Binary', data: 'e' },
            request: { method: 'PATCH', url: 'Patient/a' },
          },
        ],
        'Bundle.entry[0].resource.data',
      ],
      [
        'If-Match of no version',
        [{ request: { method: 'DELETE', url: 'Patient/a', ifMatch: '*' } }],
        'Bundle.entry[0].request.ifMatch',
      ],
      [
        'If-None-Exist without criteria',
        [{ resource: {}, request: { method: 'POST', url: 'Patient', ifNoneExist: '_count=1' } }],
        'Bundle.entry[0].request.ifNoneExist',
      ],
      [
        'a delete of everything',
        [{ request: { method: 'DELETE', url: 'Patient?_format=json' } }],
        'Bundle.entry[0].request.url',
      ],
      [
        'a fullUrl that occurs twice',
        [1, 2].map(() => ({
          fullUrl: uuid(1),
          resource: {},
          request: { method: 'POST', url: 'Patient' },
        })),
        'Bundle.entry[1].fullUrl',
      ],
      [
        'a resource that is written twice',
        [
          { resource: {}, request: { method: 'PUT', url: 'Patient/twice' } },
          { request: { method: 'DELETE', url: '/Patient/twice' } },
        ],
        'Bundle.entry[1].request.url',
      ],
      [
        'an unknown type',
        [{ resource: {}, request: { method: 'POST', url: 'Nothing' } }],
        'Bundle.entry[0]',
        404,
      ],
      [
        'a search of an unknown type',
        [{ request: { method: 'GET', url: 'Nothing?a=b' } }],
        'Bundle.entry[0]',
        404,
      ],
      [
        'a path that is none',
        [{ request: { method: 'GET', url: 'Patient/1/2/3/4' } }],
        'Bundle.entry[0]',
        404,
      ],
      [
        'a method that the path has not',
        [{ request: { method: 'DELETE', url: 'Patient/1/_history' } }],
        'Bundle.entry[0]',
        405,
      ],
    ]
    for (const [what, entry, expression, status = 400] of cases) {
      it(`with ${what} answers ${status} and names ${expression}`, async () => {
        assertRefused(await send('transaction', entry), status, expression)
        const batch = await send('batch', entry)
        assert.ok(batch.status === 200 || batch.status === 400, batch.text)
        for (const got of statuses(batch) ?? []) assert.match(got ?? '', /^[24]/)
      })
    }

    it('of another type, or of none', async () => {
      for (const type of ['collection', 'transaction-response', undefined, 3]) {
        const answer = await call(tested.url, 'POST', {
          resourceType: 'Bundle',
          type,
          entry: [post(patient('t'))],
        })
        assertRefused(answer, 400, 'Bundle.type')
      }
    })

    it('is told without a word of its content', async () => {
      const secret = 'jane-doe'
      const entries = [
        post({ resourceType: 'Patient', name: [{ family: secret, given: 3 }] }),
        { resource: { resourceType: secret }, request: { method: 'POST', url: 'Patient' } },
        { resource: { id: secret }, request: { method: 'PUT', url: 'Patient/1' } },
        post(observation(`Patient?name=${secret}`)),
      ]
      for (const entry of entries) {
        for (const type of ['transaction', 'batch']) {
          const { status, text } = await send(type, [entry])
          assert.ok(status < 500, text)
          assert.doesNotMatch(text, /jane-doe/)
        }
      }
    })
  })
})
