import assert from 'node:assert/strict'
import { describe, it, type TestContext } from 'node:test'
import { FhirRouter, MemoryRepository } from '@medplum/fhir-router'
import type { Parameters, Resource } from '@medplum/fhirtypes'
import type { FhirResource, HostHistory, PastChange } from '../../../src/host/types.ts'
import { expressHost } from '../../../src/http/express.ts'
import { fhirRouterHost, statusOf } from '../../../src/http/fhir-router.ts'
import { kafkaTopicDestination, type OwnTypesHost } from '../../../src/index.ts'
import type { OwnTypesHostOptions } from '../../../src/own-types/own-types-host.ts'
import { testDatabase } from '../../helpers/postgres.ts'
import { topicResource } from '../../helpers/topic-resources.ts'
import { ask } from './ask.ts'

const baseUrl = 'https://fhir.example.org/fhir'
const patient = (active: boolean): FhirResource => ({ resourceType: 'Patient', id: 'p', active })
const topic = topicResource('t', { resource: 'Patient', fhirPathCriteria: 'active' })

/** A host that keeps versions: one Patient, active in its second one. */
const history: HostHistory = {
  read: (references) =>
    Promise.resolve(
      new Map(references.map((reference) => [reference, patient(reference.endsWith('/2'))])),
    ),
  async *changes({ types }): AsyncGenerator<PastChange> {
    await Promise.resolve()
    assert.deepEqual(types, ['Patient'])
    const change = { interaction: 'update', resourceType: 'Patient', id: 'p' } as const
    yield { ...change, versionId: '2', at: new Date(2000), current: patient(true) }
    yield { ...change, versionId: '1', at: new Date(1000), current: patient(false) }
  },
}

interface Told {
  readonly status: number
  readonly body: Partial<Parameters> & { readonly issue?: readonly { readonly code: string }[] }
}

type Post = (url: string, body: object) => Promise<Told>

async function loaded(
  t: TestContext,
  options: Partial<OwnTypesHostOptions>,
  hostOf: (options: OwnTypesHostOptions) => OwnTypesHost,
): Promise<OwnTypesHost> {
  const { pool, connectionString } = await testDatabase(t)
  const host = hostOf({ pool, baseUrl, ...options })
  const module = kafkaTopicDestination({
    database: connectionString,
    baseUrl,
    registryLeaseMs: 50,
    stopTimeoutMs: 100,
  })
  module.register(host)
  t.after(() => module.stop())
  await module.start()
  return host
}

const servers: Readonly<
  Record<string, (t: TestContext, options: Partial<OwnTypesHostOptions>) => Promise<Post>>
> = {
  async 'a service on Express'(t, options) {
    const host = await loaded(t, options, expressHost)
    return async (url, body) => {
      const answer = await ask(host, 'POST', `/${url}`, body)
      return { status: answer.status, body: answer.body as unknown as Told['body'] }
    }
  },
  async 'a server on fhir-router'(t, options) {
    const router = new FhirRouter()
    const repository = new MemoryRepository()
    await loaded(t, options, (all) => {
      const host = fhirRouterHost(all)
      host.addRoutes(router)
      return host
    })
    return async (url, body) => {
      const request = { method: 'POST', url, pathname: '', params: {}, query: {}, body } as const
      const [outcome, resource] = await router.handleRequest(request, repository)
      return { status: statusOf(outcome), body: (resource ?? outcome) as Told['body'] }
    }
  },
}

const parameters = (...all: [name: string, resource: object][]): Parameters => ({
  resourceType: 'Parameters',
  parameter: all.map(([name, resource]) => ({ name, resource: resource as Resource })),
})

for (const [name, serve] of Object.entries(servers)) {
  describe(`operations on topics: ${name}`, () => {
    it('explains on both levels, given and stored', async (t) => {
      const post = await serve(t, { history })
      await post('AidboxSubscriptionTopic', topic)
      const fires = async (url: string, body: object): Promise<unknown> => {
        const answer = await post(`AidboxSubscriptionTopic/${url}`, body)
        assert.equal(answer.status, 200, JSON.stringify(answer.body))
        return answer.body.parameter?.find((each) => each.name === 'fires')?.valueBoolean
      }
      const given = parameters(['topic', topic], ['current', patient(true)])
      assert.equal(await fires('$explain', given), true)
      assert.equal(await fires('t/$explain', parameters(['current', patient(false)])), false)
      const reference = { name: 'current', valueReference: { reference: 'Patient/p/_history/2' } }
      assert.equal(
        await fires('t/$explain', { resourceType: 'Parameters', parameter: [reference] }),
        true,
      )
      const missing = await post('AidboxSubscriptionTopic/x/$explain', given)
      assert.equal(missing.status, 404)
    })

    it('runs dry over the history of the host', async (t) => {
      const post = await serve(t, { history })
      const { status, body } = await post(
        'AidboxSubscriptionTopic/$dry-run',
        parameters(['topic', topic]),
      )
      assert.equal(status, 200, JSON.stringify(body))
      const count = (counted: string) =>
        body.parameter?.find((each) => each.name === counted)?.valueInteger
      assert.deepEqual([count('examined'), count('fires')], [2, 1])
    })

    it('says with 501 that it cannot without', async (t) => {
      const post = await serve(t, {})
      const { status, body } = await post(
        'AidboxSubscriptionTopic/$dry-run',
        parameters(['topic', topic]),
      )
      assert.equal(status, 501)
      assert.deepEqual(
        body.issue?.map(({ code }) => code),
        ['not-supported'],
      )
    })
  })
}
