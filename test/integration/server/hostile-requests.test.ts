import assert from 'node:assert/strict'
import { connect } from 'node:net'
import { after, before, describe, it } from 'node:test'
import { call, callRaw, testServer, type RecordingModule, type TestServer } from './http-server.ts'
import { destinationResource, topicResource } from '../../helpers/topic-resources.ts'

const jsonPatch = { 'content-type': 'application/json-patch+json' }
const form = { 'content-type': 'application/x-www-form-urlencoded' }

describe('a small request that asks for much work', () => {
  let tested: TestServer
  let url: string
  before(async (t) => {
    tested = await testServer({ name: t.name })
    url = tested.url
    await call(`${url}/Patient/a`, 'PUT', { resourceType: 'Patient', id: 'a', active: true })
  })
  after(async () => {
    await tested.server.close()
  })

  async function refusedAsTooCostly(answer: ReturnType<typeof call>): Promise<void> {
    const { status, text, body } = await answer
    assert.equal(status, 400, text.slice(0, 500))
    assert.equal(body.issue?.[0]?.code, 'too-costly', text.slice(0, 500))
  }
  const search = (type: string, query: string) =>
    call(`${url}/${type}/_search`, 'POST', query, form)
  const times = (count: number, text: (index: number) => string, separator: string) =>
    Array.from({ length: count }, (_, index) => text(index)).join(separator)

  it('reads no more of a body without an end than it may have, and closes the connection', async () => {
    const { hostname, port } = new URL(url)
    const socket = connect(Number(port), hostname)
    let answer = ''
    socket.on('data', (data) => {
      answer += data.toString()
    })
    // The end comes in the middle of a write.
    socket.on('error', () => undefined)
    socket.write(
      'POST /fhir/Patient HTTP/1.1\r\nHost: x\r\nContent-Type: application/fhir+json\r\nTransfer-Encoding: chunked\r\n\r\n',
    )
    const chunk = `100000\r\n${'x'.repeat(0x100000)}\r\n`
    const send = (): void => {
      while (!socket.destroyed && socket.write(chunk));
    }
    socket.on('drain', send)
    send()
    await new Promise((resolve) => socket.once('close', resolve))
    // A reset may overtake it.
    assert.match(answer, /^(HTTP\/1\.1 413 |$)/)
  })

  it('refuses a JSON Patch whose copies double', async () => {
    const double = { op: 'copy', from: '/extension/0', path: '/extension/0/extension/-' }
    const patch = [
      { op: 'add', path: '/extension', value: [{ url: 'http://example.org', extension: [] }] },
      ...Array.from({ length: 40 }, () => double),
    ]
    await refusedAsTooCostly(call(`${url}/Patient/a`, 'PATCH', patch, jsonPatch))
  })

  it('refuses a JSON Patch whose copies of a long text are too many', async () => {
    const patch = [
      { op: 'add', path: '/name', value: [{ family: 'x'.repeat(1_000_000) }] },
      ...Array.from({ length: 100 }, () => ({ op: 'copy', from: '/name/0', path: '/name/-' })),
    ]
    await refusedAsTooCostly(call(`${url}/Patient/a`, 'PATCH', patch, jsonPatch))
  })

  it('refuses a patch that nests deeper than a body may', async () => {
    const levels = (depth: number): object[] => [
      depth === 0
        ? { url: 'http://example.org', valueString: 'x' }
        : { url: 'http://example.org', extension: levels(depth - 1) },
    ]
    const patch = [
      { op: 'add', path: '/extension', value: levels(60) },
      {
        op: 'replace',
        path: '/extension/0'.repeat(61),
        value: { url: 'http://example.org', extension: levels(60) },
      },
    ]
    await refusedAsTooCostly(call(`${url}/Patient/a`, 'PATCH', patch, jsonPatch))
  })

  it('refuses a FHIRPath Patch of very many operations', async () => {
    const operation = {
      name: 'operation',
      part: [
        { name: 'type', valueCode: 'delete' },
        { name: 'path', valueString: 'Patient.name' },
      ],
    }
    const parameter = Array.from({ length: 50_000 }, () => operation)
    const patch = { resourceType: 'Parameters', parameter }
    await refusedAsTooCostly(call(`${url}/Patient/a`, 'PATCH', patch))
  })

  it('refuses too many values over all criteria', async () => {
    const values = times(500, (index) => `v${index}`, ',')
    await refusedAsTooCostly(
      search(
        'Basic',
        times(100, () => `subject=${values}`, '&'),
      ),
    )
    await refusedAsTooCostly(
      search(
        'Patient',
        times(100, () => `identifier=${values}`, '&'),
      ),
    )
    assert.equal((await search('Basic', `subject=${values}`)).status, 200)
  })

  it('refuses too many names to sort by', async () => {
    await refusedAsTooCostly(search('Patient', `_sort=${times(100_000, () => 'family', ',')}`))
  })

  it('refuses a form of very many names', async () => {
    await refusedAsTooCostly(
      search(
        'Patient',
        times(1_000_000, (index) => `a${index}=`, '&'),
      ),
    )
  })

  it('refuses a condition of very many criteria', async () => {
    const criteria = times(200_000, (index) => `identifier=${index}`, '&')
    const request = { method: 'POST', url: 'Patient', ifNoneExist: criteria }
    const entry = [{ resource: { resourceType: 'Patient' }, request }]
    await refusedAsTooCostly(
      call(url, 'POST', { resourceType: 'Bundle', type: 'transaction', entry }),
    )
  })
})

describe('an element that its type does not have', () => {
  const members = [
    '"constructor":{"x":1}',
    '"__proto__":{"x":1}',
    '"toString":"x"',
    '"_valueOf":{"id":"x"}',
  ]

  for (const member of members) {
    it(`is refused when it is called as one of every object: ${member}`, async (t) => {
      const { url } = await testServer(t)
      const outer = `{"resourceType":"Patient",${member}}`
      const inner = `{"resourceType":"Patient","name":[{"family":"x",${member}}]}`
      const own = JSON.stringify(topicResource('t', { resource: 'Patient' })).replace(
        /\}$/,
        `,${member}}`,
      )
      for (const [path, body, element, status] of [
        ['Patient', outer, 'Patient.', 400],
        ['Patient', inner, 'Patient.name[0].', 400],
        ['AidboxSubscriptionTopic', own, 'AidboxSubscriptionTopic.', 422],
      ] as const) {
        const answer = await call(`${url}/${path}`, 'POST', body)
        const name = /"(.*?)"/.exec(member)?.[1] ?? ''
        assert.equal(answer.status, status, answer.text)
        const named = answer.body.issue?.flatMap(({ expression = [] }) => expression)
        assert.ok(named?.includes(element + name), answer.text)
        assert.equal((await call(`${url}/${path}?_count=0`, 'GET')).body.total, 0)
      }
    })
  }

  it('is refused when it is a second value of a choice, also by a patch', async (t) => {
    const { url } = await testServer(t)
    const component = { code: { text: 'x' }, valueString: 'x' }
    const observation = { resourceType: 'Observation', status: 'final', code: { text: 'x' } }
    const extension = [{ url: 'http://example.org', valueString: 'x', _valueCode: { id: 'x' } }]
    for (const [more, element] of [
      [{ valueString: 'x', valueBoolean: true }, 'Observation.value[x]'],
      [
        { component: [component, { ...component, valueInteger: 1 }] },
        'Observation.component[1].value[x]',
      ],
      [{ _status: { extension } }, 'Observation._status.extension[0].value[x]'],
    ] as const) {
      const answer = await call(`${url}/Observation`, 'POST', { ...observation, ...more })
      assert.equal(answer.status, 400, answer.text)
      const errors = answer.body.issue?.filter(({ severity }) => severity === 'error')
      assert.deepEqual(errors?.[0]?.expression, [element])
    }
    const stored = { ...observation, id: 'a', component: [component], valueString: 'x' }
    assert.equal((await call(`${url}/Observation/a`, 'PUT', stored)).status, 201)
    const second = await call(`${url}/Observation/a`, 'PATCH', { valueBoolean: true })
    assert.equal(second.status, 400, second.text)
  })
})

describe('data beyond the limit of a text', () => {
  it('is stored when it is base64, which has no limit in R4', async (t) => {
    const { url } = await testServer(t)
    const data = 'QUJD'.repeat(500_000)
    const contentType = 'application/pdf'
    const binary = { resourceType: 'Binary', id: 'a', contentType, data }
    const valueAttachment = { contentType, data }
    const patient = {
      resourceType: 'Patient',
      id: 'a',
      photo: [{ contentType, data }],
      extension: [
        { url: 'http://example.org', valueBase64Binary: data },
        { url: 'http://example.org', valueAttachment },
      ],
    }
    for (const resource of [binary, patient]) {
      const address = `${url}/${resource.resourceType}/a`
      assert.equal((await call(address, 'PUT', resource)).status, 201)
      assert.ok((await call(address, 'GET')).text.includes(data))
    }
    for (const wrong of [
      { ...binary, data: `${data}!` },
      { ...binary, contentType: data },
    ]) {
      const { status, text } = await call(`${url}/Binary/a`, 'PUT', wrong)
      assert.equal(status, 400, text.slice(0, 500))
    }
  })
})

describe('a plain secret', () => {
  const secret = 'hunter2'
  const login = 'org.apache.kafka.common.security.scram.ScramLoginModule'
  const parameter = [
    { name: 'kafkaTopic', valueString: 'a' },
    { name: 'bootstrapServers', valueString: 'localhost:1' },
    { name: 'securityProtocol', valueString: 'SASL_PLAINTEXT' },
    { name: 'saslMechanism', valueString: 'SCRAM-SHA-256' },
    { name: 'saslJaasConfig', valueString: `${login} required username="u" password="${secret}";` },
  ]
  const plain = destinationResource('d', 'kafka-at-least-once', 't', 'a', 'localhost:1')
  const destination = { ...plain, parameter }

  function storedParameter({ changes }: RecordingModule): unknown {
    const current: object = changes.at(-1)?.current ?? {}
    return 'parameter' in current ? current.parameter : undefined
  }

  it('cannot be copied, tested or searched for by a patch, which keeps it', async (t) => {
    const { url, module } = await testServer(t)
    const address = `${url}/AidboxTopicDestination/d`
    assert.equal((await call(address, 'PUT', destination)).status, 201)
    const from = '/parameter/4/valueString'
    const found = `parameter.where(valueString.contains('${secret}'))`
    const part = [
      { name: 'type', valueCode: 'delete' },
      { name: 'path', valueString: `AidboxTopicDestination.${found}` },
    ]
    const copies = [
      [{ op: 'copy', from, path: '/language' }],
      [{ op: 'test', path: from, value: parameter[4]?.valueString }],
      { resourceType: 'Parameters', parameter: [{ name: 'operation', part }] },
    ]
    for (const patch of copies) {
      const headers = Array.isArray(patch) ? jsonPatch : {}
      const { status, text } = await call(address, 'PATCH', patch, headers)
      assert.ok(status === 422 || text.includes('"versionId":"1"'), text)
      assert.ok(!text.includes(secret), text)
    }
    const off = await call(address, 'PATCH', { status: 'off' })
    assert.equal(off.status, 200, off.text)
    assert.equal(off.body.meta?.versionId, '2')
    assert.ok(!off.text.includes(secret), off.text)
    assert.deepEqual(storedParameter(module), parameter)
  })

  it('can be replaced by a merge patch', async (t) => {
    const { url, module } = await testServer(t)
    const address = `${url}/AidboxTopicDestination/d`
    await call(address, 'PUT', destination)
    const changed = JSON.parse(JSON.stringify(parameter).replace(secret, 'hunter3')) as unknown
    const answer = await call(address, 'PATCH', { parameter: changed })
    assert.equal(answer.status, 200, answer.text)
    assert.deepEqual(storedParameter(module), changed)
  })
})

describe('links of a searchset', () => {
  it('never have a scheme that a proxy header made up', async (t) => {
    const { url } = await testServer(t)
    const headers = { 'x-forwarded-host': 'example.org', 'x-forwarded-proto': 'javascript' }
    const { text } = await callRaw(url, 'GET', '/fhir/Patient', { headers })
    assert.ok(!text.includes('javascript'), text)
  })
})
