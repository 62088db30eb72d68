import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { createServer } from '../../../src/server/create-server.ts'
import { destinationResource } from '../../helpers/topic-resources.ts'
import { call, testServer } from './http-server.ts'

const basic = (text: string) => `Basic ${Buffer.from(text).toString('base64')}`

describe('authentication', () => {
  it('takes a bearer token or basic authentication and refuses anything else with 401', async (t) => {
    const { url, module } = await testServer(t, {
      authToken: 'open-sesame',
      basicAuth: 'jürgen:p:ss',
    })
    for (const authorization of [
      'Bearer open-sesame',
      'bearer open-sesame',
      basic('jürgen:p:ss'),
    ]) {
      assert.equal((await call(`${url}/Patient`, 'GET', undefined, { authorization })).status, 200)
    }
    const refused = [
      'Bearer open',
      'Bearer',
      'Basic open-sesame',
      basic('jürgen:p'),
      basic('open-sesame'),
      '',
    ]
    for (const authorization of refused) {
      for (const [method, path, body] of [
        ['GET', 'Patient', undefined],
        ['POST', 'Patient', { resourceType: 'Patient' }],
        ['POST', '', { resourceType: 'Bundle', type: 'batch', entry: [] }],
        ['GET', 'Nothing/1', undefined],
      ] as const) {
        const headers: Record<string, string> = authorization === '' ? {} : { authorization }
        const answer = await call(`${url}/${path}`, method, body, headers)
        assert.equal(answer.status, 401, `${authorization} ${method} ${path}`)
        assert.equal(answer.body.resourceType, 'OperationOutcome')
        assert.match(
          answer.headers.get('www-authenticate') ?? '',
          /Bearer realm="fhir".*Basic realm="fhir"/,
        )
        assert.doesNotMatch(answer.text, /open-sesame/)
      }
    }
    const metadata = await call(`${url}/metadata`, 'GET')
    assert.equal(metadata.status, 200)
    assert.ok((metadata.body['rest'] as { security?: object }[])[0]?.security)

    const authorization = basic('jürgen:p:ss')
    const resource = destinationResource(
      'd',
      'kafka-best-effort',
      'any',
      'events',
      'localhost:9092',
    )
    const put = await call(`${url}/AidboxTopicDestination/d`, 'PUT', resource, { authorization })
    assert.equal(put.status, 201, put.text)
    await call(`${url}/AidboxTopicDestination/d/$status`, 'GET', undefined, { authorization })
    assert.deepEqual(module.calls, ['GET d jürgen'])
    await assert.rejects(async () =>
      module.host?.authorize?.(undefined, 'status', 'AidboxTopicDestination/d'),
    )
  })

  it('is needed to listen on anything but loopback', async () => {
    const databaseUrl = 'postgres://127.0.0.1:1/never'
    for (const host of ['0.0.0.0', '::', '192.0.2.1', 'fhir.example.org']) {
      await assert.rejects(createServer({ databaseUrl, host }), {
        code: 'KTD_INVALID_OPTION',
        message: /Refusing to listen on .* without authentication/,
      })
    }
    for (const host of ['127.0.0.1', '127.0.0.2', 'localhost']) {
      await (await createServer({ databaseUrl, host })).close()
    }
    const guarded = await createServer({ databaseUrl, host: '0.0.0.0', authToken: 'x' })
    await guarded.close()
    await assert.rejects(createServer({ databaseUrl, basicAuth: 'nobody' }), {
      code: 'KTD_INVALID_OPTION',
    })
  })
})
