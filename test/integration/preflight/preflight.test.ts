import assert from 'node:assert/strict'
import { describe, it, type TestContext } from 'node:test'
import { OperationOutcomeError, forbidden } from '@medplum/core'
import { FhirRouter, MemoryRepository } from '@medplum/fhir-router'
import type { OperationOutcome } from '@medplum/fhirtypes'
import { expressHost } from '../../../src/http/express.ts'
import { fhirRouterHost, statusOf } from '../../../src/http/fhir-router.ts'
import { kafkaTopicDestination, type HttpAnswer, type OwnTypesHost } from '../../../src/index.ts'
import type { ModuleOptions } from '../../../src/options.ts'
import type { OwnTypesHostOptions } from '../../../src/own-types/own-types-host.ts'
import { createServer } from '../../../src/server/create-server.ts'
import { FhirClient } from '../../helpers/fhir-client.ts'
import { newTopic, testKafka, uniqueName } from '../../helpers/kafka.ts'
import { testDatabase } from '../../helpers/postgres.ts'
import { silentServer } from '../../helpers/silent-server.ts'
import { recordingLogger, untilLogged, type LogLine } from '../../helpers/recording-logger.ts'
import { destinationResource, topicResource } from '../../helpers/topic-resources.ts'
import { jaas, saslTlsListener } from '../kafka/logins.ts'
import { ask } from '../own-types/ask.ts'

const baseUrl = 'https://fhir.example.org/fhir'
const topic = topicResource('patients', { resource: 'Patient' })
const serversPath = "AidboxTopicDestination.parameter.where(name='bootstrapServers').value"
/** Nothing listens there. */
const deadServers = '127.0.0.1:9'

interface Answer {
  readonly status: number
  readonly body: Partial<OperationOutcome> & { readonly [element: string]: unknown }
}
type Request = (method: string, url: string, body?: unknown) => Promise<Answer>

interface Loaded {
  readonly request: Request
  readonly log: readonly LogLine[]
}

async function loaded(
  t: TestContext,
  moduleOptions: Partial<ModuleOptions>,
  hostOf: (options: OwnTypesHostOptions) => OwnTypesHost,
  log: LogLine[],
): Promise<OwnTypesHost> {
  const { pool, connectionString } = await testDatabase(t)
  const host = hostOf({ pool, baseUrl })
  const module = kafkaTopicDestination({
    ...timing,
    database: connectionString,
    baseUrl,
    logger: recordingLogger(log),
    ...moduleOptions,
  })
  module.register(host)
  t.after(() => module.stop())
  await module.start()
  return host
}

const timing = { registryLeaseMs: 50, stopTimeoutMs: 100 }

const servers: Readonly<
  Record<string, (t: TestContext, options?: Partial<ModuleOptions>) => Promise<Loaded>>
> = {
  async 'the reference server'(t, options = {}) {
    const log: LogLine[] = []
    const { connectionString } = await testDatabase(t)
    const server = await createServer({ databaseUrl: connectionString })
    t.after(() => server.close())
    server.load(
      kafkaTopicDestination({
        ...timing,
        database: connectionString,
        baseUrl: server.url,
        logger: recordingLogger(log),
        ...options,
      }),
    )
    await server.listen()
    const client = new FhirClient(server.url)
    const request: Request = async (method, url, body) => client.request(method, url, body)
    return { request, log }
  },
  async 'a service on Express'(t, options = {}) {
    const log: LogLine[] = []
    const host = await loaded(t, options, expressHost, log)
    const request: Request = async (method, url, body) => plain(await ask(host, method, url, body))
    return { request, log }
  },
}

function plain({ status, body }: HttpAnswer): Answer {
  // FHIR's types let nobody look at an element that only some of them have.
  return { status, body: (body ?? {}) as unknown as Answer['body'] }
}

function destination(id: string, kafkaTopic: string, bootstrapServers: string): object {
  return destinationResource(id, 'kafka-at-least-once', 'patients', kafkaTopic, bootstrapServers)
}

function errorsOf({ body }: Answer): readonly { code?: string; path?: string; text?: string }[] {
  return (body.issue ?? [])
    .filter(({ severity }) => severity === 'error')
    .map(({ code, expression, details }) => ({
      code,
      ...(expression?.[0] === undefined ? {} : { path: expression[0] }),
      ...(details?.text === undefined ? {} : { text: details.text }),
    }))
}

for (const [name, start] of Object.entries(servers)) {
  describe(`preflight on ${name}`, () => {
    it('refuses a write that asks for it, stores nothing, and lets others pass', async (t) => {
      const { bootstrapServers } = await testKafka()
      const { request } = await start(t)
      await request('PUT', '/AidboxSubscriptionTopic/patients', topic)
      const kafkaTopic = await newTopic(bootstrapServers)
      const dead = destination('dead', kafkaTopic, deadServers)
      for (const [method, url] of [
        ['POST', '/AidboxTopicDestination?_preflight=true'],
        ['PUT', '/AidboxTopicDestination/dead?_preflight=true'],
      ] as const) {
        const refused = await request(method, url, dead)
        assert.equal(refused.status, 422, JSON.stringify(refused.body))
        assert.deepEqual(errorsOf(refused), [
          {
            code: 'transient',
            path: serversPath,
            text: 'Kafka broker 127.0.0.1:9 cannot be reached: Connection refused.',
          },
        ])
        assert.equal((await request('GET', '/AidboxTopicDestination/dead')).status, 404)
      }
      const good = destination('good', kafkaTopic, bootstrapServers)
      const taken = await request('POST', '/AidboxTopicDestination?_preflight=true', good)
      assert.equal(taken.status, 201, JSON.stringify(taken.body))
      const unasked = await request('PUT', '/AidboxTopicDestination/dead', dead)
      assert.equal(unasked.status, 201)
    })

    it('looks at the entries of a bundle before it begins', async (t) => {
      const { request } = await start(t)
      const entry = [
        { resource: topic, request: { method: 'PUT', url: 'AidboxSubscriptionTopic/patients' } },
        {
          resource: destination('dead', 'any', deadServers),
          request: { method: 'PUT', url: 'AidboxTopicDestination/dead?_preflight=true' },
        },
      ]
      const whole = await request('POST', '/', {
        resourceType: 'Bundle',
        type: 'transaction',
        entry,
      })
      assert.equal(whole.status, 422, JSON.stringify(whole.body))
      assert.match(errorsOf(whole)[0]?.path ?? '', /^Bundle\.entry\[1\]\.resource/)
      assert.equal((await request('GET', '/AidboxSubscriptionTopic/patients')).status, 404)
      const batch = await request('POST', '/', { resourceType: 'Bundle', type: 'batch', entry })
      assert.deepEqual(
        (batch.body['entry'] as { response: { status: string } }[]).map(({ response }) =>
          response.status.slice(0, 3),
        ),
        ['201', '422'],
      )
    })

    it('$preflight answers for a destination in the body and for a stored one', async (t) => {
      const { bootstrapServers } = await testKafka()
      const { request } = await start(t)
      await request('PUT', '/AidboxSubscriptionTopic/patients', topic)
      const missing = uniqueName('missing')
      const resource = destination('d', missing, bootstrapServers)
      const parameter = [{ name: 'destination', resource }]
      const body = { resourceType: 'Parameters', parameter }
      const given = await request('POST', '/AidboxTopicDestination/$preflight', body)
      assert.equal(given.status, 200, JSON.stringify(given.body))
      assert.deepEqual(errorsOf(given), [
        {
          code: 'not-found',
          path: "AidboxTopicDestination.parameter.where(name='kafkaTopic').value",
          text: `Unknown topic: Kafka topic "${missing}" does not exist and the cluster does not create it.`,
        },
      ])
      const kafkaTopic = await newTopic(bootstrapServers)
      const stored = destination('d', kafkaTopic, bootstrapServers)
      await request('PUT', '/AidboxTopicDestination/d', stored)
      const found = await request('POST', '/AidboxTopicDestination/d/$preflight')
      assert.equal(found.status, 200)
      assert.match(found.body.issue?.[0]?.details?.text ?? '', /found no problem/)
      const none = await request('POST', '/AidboxTopicDestination/nobody/$preflight')
      assert.equal(none.status, 404)
      assert.equal((await request('POST', '/AidboxTopicDestination/$preflight')).status, 422)
    })

    it('holds nothing up while it runs', async (t) => {
      const { request } = await start(t)
      await request('PUT', '/AidboxSubscriptionTopic/patients', topic)
      const silent = await silentServer(t)
      const hanging = destination('hanging', 'any', silent.address)
      const looking = silent.connected
      const first: string[] = []
      const slow = request('PUT', '/AidboxTopicDestination/hanging?_preflight=true', hanging).then(
        (answer) => {
          first.push('preflight')
          return answer
        },
      )
      await looking
      const others = destination('other', 'any', deadServers)
      await request('PUT', '/AidboxTopicDestination/other', others)
      await request('PUT', '/AidboxTopicDestination/hanging', hanging)
      first.push('other writes')
      assert.equal((await slow).status, 422)
      assert.deepEqual(first, ['other writes', 'preflight'])
    })

    it('require asks it of every write, of a patch too', async (t) => {
      const { bootstrapServers } = await testKafka()
      const { request } = await start(t, { preflight: 'require' })
      await request('PUT', '/AidboxSubscriptionTopic/patients', topic)
      const kafkaTopic = await newTopic(bootstrapServers)
      const url = '/AidboxTopicDestination/d'
      const dead = destination('d', kafkaTopic, deadServers)
      assert.equal((await request('PUT', url, dead)).status, 422)
      const good = destination('d', kafkaTopic, bootstrapServers)
      assert.equal((await request('PUT', url, good)).status, 201)
      const patch = [{ op: 'replace', path: '/parameter/1/valueString', value: deadServers }]
      assert.equal((await request('PATCH', url, patch)).status, 422)
      const { body } = await request('GET', url)
      assert.deepEqual(body['parameter'], (good as { parameter: unknown }).parameter)
    })

    it('warn tells the log, and the write does not wait for it', async (t) => {
      const { request, log } = await start(t, { preflight: 'warn' })
      await request('PUT', '/AidboxSubscriptionTopic/patients', topic)
      const dead = destination('d', 'any', deadServers)
      assert.equal((await request('PUT', '/AidboxTopicDestination/d', dead)).status, 201)
      await untilLogged(log, ({ message }) =>
        message.includes('preflight of a destination found a problem'),
      )
    })
  })
}

describe('preflight and rights', () => {
  it('only who may write a destination may have it looked at', async (t) => {
    const silent = await silentServer(t)
    const authorize = (_principal: unknown, action: string): void => {
      if (['create', 'update', 'patch'].includes(action)) throw new OperationOutcomeError(forbidden)
    }
    const host = await loaded(t, {}, (options) => expressHost({ ...options, authorize }), [])
    const resource = destination('d', 'any', silent.address)
    const parameters = {
      resourceType: 'Parameters',
      parameter: [{ name: 'destination', resource }],
    }
    const bundle = {
      resourceType: 'Bundle',
      type: 'transaction',
      entry: [
        { resource, request: { method: 'PUT', url: 'AidboxTopicDestination/d?_preflight=true' } },
      ],
    }
    for (const [method, url, body] of [
      ['POST', '/AidboxTopicDestination/$preflight', parameters],
      ['POST', '/AidboxTopicDestination?_preflight=true', resource],
      ['PUT', '/AidboxTopicDestination/d?_preflight=true', resource],
      ['POST', '/', bundle],
    ] as const) {
      assert.equal((await ask(host, method, url, body)).status, 403, `${method} ${url}`)
    }
    assert.equal(silent.connections, 0)
  })

  it('whoever may create has none looked at that is there: it would show the secrets of that one', async (t) => {
    const silent = await silentServer(t)
    let mayUpdate = true
    const authorize = (_principal: unknown, action: string): void => {
      if (action === 'update' && !mayUpdate) throw new OperationOutcomeError(forbidden)
    }
    const host = await loaded(t, {}, (options) => expressHost({ ...options, authorize }), [])
    await ask(host, 'POST', '/AidboxSubscriptionTopic', topic)
    const stored = destination('d', 'any', deadServers)
    assert.equal((await ask(host, 'PUT', '/AidboxTopicDestination/d', stored)).status, 201)
    mayUpdate = false
    const resource = destination('d', 'any', silent.address)
    const parameters = {
      resourceType: 'Parameters',
      parameter: [{ name: 'destination', resource }],
    }
    const operated = await ask(host, 'POST', '/AidboxTopicDestination/$preflight', parameters)
    assert.equal(operated.status, 403)
    const posted = await ask(host, 'POST', '/AidboxTopicDestination?_preflight=true', resource)
    assert.equal(posted.status, 409)
    assert.equal(silent.connections, 0)
  })

  it('a token of this server is shown to brokers that the operator has named, and to none that a destination names', async (t) => {
    const kafka = await testKafka()
    const before = { ...process.env }
    Object.assign(process.env, { AWS_ACCESS_KEY_ID: 'AKIDTEST', AWS_SECRET_ACCESS_KEY: 'secret' })
    t.after(() => {
      process.env = before
    })
    const { bootstrapServers, ...listener } = saslTlsListener(kafka)
    const login = {
      ...listener,
      saslMechanism: 'AWS_MSK_IAM',
      saslJaasConfig: jaas('AWS_MSK_IAM', ''),
      awsRegion: 'eu-central-1',
    }
    const made = destinationResource('d', 'kafka-best-effort', 'patients', 'any', bootstrapServers)
    const parameter = [
      ...(made['parameter'] as object[]),
      ...Object.entries(login).map(([name, valueString]) => ({ name, valueString })),
    ]
    const look = async (options: Partial<ModuleOptions>) => {
      const host = await loaded(t, options, expressHost, [])
      const answer = await ask(host, 'POST', '/AidboxTopicDestination/$preflight', {
        resourceType: 'Parameters',
        parameter: [{ name: 'destination', resource: { ...made, parameter } }],
      })
      assert.equal(answer.status, 200, JSON.stringify(answer.body))
      const [error, ...others] = errorsOf(plain(answer))
      assert.deepEqual(others, [])
      return error
    }
    for (const options of [{}, { allowedBootstrapServers: ['*:*'] }]) {
      const error = await look(options)
      assert.equal(error?.path, serversPath)
      assert.match(error.text ?? '', /no name that Amazon MSK gives its brokers/)
    }
    const error = await look({ allowedBootstrapServers: [bootstrapServers] })
    assert.match(error?.text ?? '', /refused the login/)
  })

  it('is there on fhir-router', async (t) => {
    const router = new FhirRouter()
    const repository = new MemoryRepository()
    await loaded(
      t,
      {},
      (options) => {
        const host = fhirRouterHost(options)
        host.addRoutes(router)
        return host
      },
      [],
    )
    const body = destination('d', 'any', deadServers)
    const query = { _preflight: 'true' }
    const url = 'AidboxTopicDestination?_preflight=true'
    const request = { method: 'POST', url, pathname: '', params: {}, query, body } as const
    const [outcome] = await router.handleRequest(request, repository)
    assert.equal(statusOf(outcome), 422)
    assert.deepEqual(outcome.issue[0]?.expression, [serversPath])
  })
})
