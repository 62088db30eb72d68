import assert from 'node:assert/strict'
import { describe, it, type TestContext } from 'node:test'
import { FhirRouter, MemoryRepository, type HttpMethod } from '@medplum/fhir-router'
import type { Bundle, OperationOutcome } from '@medplum/fhirtypes'
import type { Pool } from 'pg'
import {
  fhirRouterHost,
  statusOf,
  type FhirRouterHostOptions,
} from '../../../src/http/fhir-router.ts'
import { fromPg } from '../../../src/host/sql-tx.ts'
import { outboxSchema } from '../../../src/outbox/schema.ts'
import { migrateOutbox } from '../../../src/outbox/migrations.ts'
import type { HostTransaction } from '../../../src/own-types/own-types-host.ts'
import { testDatabase } from '../../helpers/postgres.ts'
import { destinationResource, topicResource } from '../../helpers/topic-resources.ts'
import { RecordingModule } from '../server/http-server.ts'

const type = 'AidboxTopicDestination'
const destination = (id: string, more: object = {}) =>
  destinationResource(id, 'kafka-at-least-once', 'any', 'events', 'localhost:9092', more)

interface Served {
  readonly module: RecordingModule
  readonly ask: (
    method: HttpMethod,
    url: string,
    body?: unknown,
    headers?: Record<string, string>,
  ) => Promise<{ status: number; outcome: OperationOutcome; body: Record<string, unknown> }>
}

async function serve(
  t: TestContext,
  repositoryOf: (pool: Pool) => MemoryRepository = () => new MemoryRepository(),
  options: Partial<FhirRouterHostOptions<never>> = {},
): Promise<Served> {
  const { pool } = await testDatabase(t)
  await migrateOutbox(pool, outboxSchema())
  const host = fhirRouterHost({ pool, baseUrl: 'https://fhir.example.org/fhir', ...options })
  const router = new FhirRouter()
  const module = new RecordingModule()
  // In either order: the routes of what is registered later are added then.
  host.addRoutes(router)
  module.register(host)
  const repository = repositoryOf(pool)
  if (repository instanceof PgMemoryRepository) repository.unitOfWork = () => host.unitOfWork()
  return {
    module,
    ask: async (method, url, body, headers = {}) => {
      const [outcome, resource] = await router.handleRequest(
        {
          method,
          url,
          body,
          headers,
          pathname: '',
          params: {},
          query: {},
          config: { transactions: true },
        },
        repository,
      )
      const wide: object = resource ?? {}
      return { status: statusOf(outcome), outcome, body: wide as Record<string, unknown> }
    },
  }
}

/** Other types in memory; a transaction of PostgreSQL for what is written to it meanwhile. */
class PgMemoryRepository extends MemoryRepository {
  readonly #pool: Pool
  unitOfWork: (() => HostTransaction['unit']) | undefined
  open: HostTransaction | undefined
  begin = 'begin'
  /** Between the snapshot of a transaction and its writes. */
  meanwhile: () => Promise<unknown> = () => Promise.resolve()
  /** What the last transaction failed with. */
  failure: unknown

  constructor(pool: Pool) {
    super()
    this.#pool = pool
  }

  override async withTransaction<Result>(
    callback: (client: never) => Promise<Result>,
  ): Promise<Result> {
    const unit = this.unitOfWork?.()
    assert.ok(unit)
    const client = await this.#pool.connect()
    try {
      await client.query(this.begin)
      await client.query('select 1')
      await this.meanwhile()
      this.open = { tx: fromPg(client), unit }
      // A database client that nobody uses in fhir-router 4, the repository of the transaction in 5.
      const result = await callback(this as never)
      await unit.beforeCommit(fromPg(client))
      await client.query('commit')
      return result
    } catch (error) {
      this.failure = error
      await client.query('rollback')
      unit.afterRollback()
      throw error
    } finally {
      this.open = undefined
      client.release()
    }
  }
}

describe('the routes of fhirRouterHost', () => {
  it('serve both types with what fhir-router has no routes for', async (t) => {
    const { ask } = await serve(t)
    const created = await ask('POST', type, destination('a'))
    assert.deepEqual([created.status, created.body['id']], [201, 'a'])
    assert.equal((await ask('PUT', `${type}/b`, destination('b'))).status, 201)
    assert.equal((await ask('PATCH', `${type}/b`, { status: 'off' })).body['status'], 'off')
    assert.equal((await ask('GET', `${type}?status=off&_count=1`)).body['total'], 1)
    assert.equal((await ask('POST', `${type}/_search`, { _id: 'a,b' })).body['total'], 2)
    assert.equal((await ask('GET', `${type}/b/_history/1`)).body['status'], undefined)
    assert.equal((await ask('GET', `${type}/b/_history`)).body['total'], 2)
    assert.equal((await ask('GET', `${type}/a/$status`)).body['resourceType'], 'Parameters')
    const stale = await ask('PUT', `${type}/b`, destination('b'), { 'if-match': 'W/"1"' })
    assert.equal(stale.status, 412)
    const again = await ask('POST', type, destination('a'), { 'if-none-exist': '_id=a' })
    assert.equal(again.status, 200)
    assert.equal((await ask('DELETE', `${type}/a`)).status, 200)
    assert.equal((await ask('DELETE', `${type}/never`)).status, 200)
    assert.equal((await ask('GET', `${type}/a`)).status, 404)
    assert.equal((await ask('DELETE', `${type}/b/$status`)).status, 405)
    assert.equal((await ask('GET', `${type}/b/$nothing`)).status, 404)
    assert.equal((await ask('GET', `${type}?nothing=1`)).status, 400)
    const refused = await ask('POST', type, { ...destination('c'), kind: 'nothing' })
    assert.deepEqual([refused.status, refused.outcome.issue[0]?.severity], [422, 'error'])
  })

  it('leave all other types to the router', async (t) => {
    const { ask } = await serve(t)
    const { status, body } = await ask('POST', 'Patient', { resourceType: 'Patient' })
    assert.deepEqual([status, body['resourceType']], [201, 'Patient'])
  })

  it('hold in a batch: DELETE and POST keep the client’s id, $status answers', async (t) => {
    const { ask } = await serve(t)
    const entry = [
      { request: { method: 'DELETE', url: `${type}/init` } },
      { request: { method: 'POST', url: type }, resource: destination('init') },
      { request: { method: 'GET', url: `${type}/init/$status` } },
    ]
    for (let time = 1; time <= 2; time++) {
      const { body } = await ask('POST', '', { resourceType: 'Bundle', type: 'batch', entry })
      const answers = (body as unknown as Bundle).entry ?? []
      assert.deepEqual(
        answers.map(({ response }) => response?.status),
        ['200', '201', '200'],
      )
      assert.equal(answers[1]?.resource?.id, 'init')
    }
  })

  it('write in the open transaction of the repository: all or nothing with its other entries', async (t) => {
    const { ask, module } = await serve(t, (pool) => new PgMemoryRepository(pool), {
      transactionOf: ({ open }: PgMemoryRepository) => open,
    })
    const transaction = (...resources: readonly { resourceType: string; id: string }[]) =>
      ask('POST', '', {
        resourceType: 'Bundle',
        type: 'transaction',
        entry: resources.map((resource) => ({
          request: { method: 'PUT', url: `${resource.resourceType}/${resource.id}` },
          resource,
        })),
      })
    const topic = topicResource('t', { resource: 'Patient' })
    const failed = await transaction(topic, destination('bad', { kind: 'nothing' }))
    assert.equal(failed.status, 422)
    assert.equal((await ask('GET', 'AidboxSubscriptionTopic/t')).status, 404)
    assert.equal((await transaction(topic, destination('good'))).status, 200)
    assert.equal((await ask('GET', 'AidboxSubscriptionTopic/t')).status, 200)
    assert.equal((await ask('GET', `${type}/good`)).status, 200)
    // The host's own unit carries the changes; the module is told by the host, not twice.
    assert.deepEqual(module.changes, [])
  })

  it('let the repository see that its transaction has lost a race, so that it can repeat it', async (t) => {
    const repositories: PgMemoryRepository[] = []
    const { ask } = await serve(
      t,
      (pool) => {
        const repository = new PgMemoryRepository(pool)
        repository.begin = 'begin isolation level repeatable read'
        repository.meanwhile = () =>
          pool.query(`update ${outboxSchema().ownResource} set version_id = version_id`)
        repositories.push(repository)
        return repository
      },
      { transactionOf: ({ open }: PgMemoryRepository) => open },
    )
    assert.equal((await ask('PUT', `${type}/d`, destination('d'))).status, 201)
    const entry = [
      {
        request: { method: 'PUT', url: `${type}/d` },
        resource: destination('d', { status: 'off' }),
      },
    ]
    await ask('POST', '', { resourceType: 'Bundle', type: 'transaction', entry })
    assert.equal((repositories[0]?.failure as { code?: string } | undefined)?.code, '40001')
  })
})
