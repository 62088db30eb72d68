import assert from 'node:assert/strict'
import { describe, it, type TestContext } from 'node:test'
import type { OperationOutcome } from '@medplum/fhirtypes'
import type { Pool } from 'pg'
import type { FhirResource, FhirServerModule } from '../../../src/host/types.ts'
import { kafkaTopicDestination, OwnTypesHost } from '../../../src/index.ts'
import { newTopic, testKafka } from '../../helpers/kafka.ts'
import { testDatabase } from '../../helpers/postgres.ts'
import { topicResource, type TestResource } from '../../helpers/topic-resources.ts'
import { destination, patient, readTold } from '../delivery/nodes.ts'
import { ask } from './ask.ts'

const { bootstrapServers } = await testKafka()
const baseUrl = 'https://fhir.example.org/fhir'

/** A server whose resources are in a Map. Nothing of it is a transaction, except that it writes all or nothing. */
class MapServer {
  readonly #resources = new Map<string, FhirResource>()
  readonly host: OwnTypesHost

  constructor(pool: Pool) {
    const read = (references: readonly string[]): Promise<ReadonlyMap<string, FhirResource>> => {
      const found = references.flatMap((reference) => {
        const resource = this.#resources.get(reference)
        return resource ? [[reference, resource] as const] : []
      })
      return Promise.resolve(new Map(found))
    }
    this.host = new OwnTypesHost({ pool, baseUrl, sqlTransactions: false, read })
  }

  /** @param check throws when the server changes its mind */
  async put(resources: readonly TestResource[], check = (): void => undefined): Promise<void> {
    const unit = this.host.unitOfWork()
    try {
      for (const current of resources) {
        const { resourceType, id } = current
        const previous = this.#resources.get(`${resourceType}/${id}`)
        unit.record({
          interaction: previous ? 'update' : 'create',
          resourceType,
          id,
          current,
          ...(previous ? { previous } : {}),
        })
      }
      await unit.beforeCommit()
      check()
    } catch (error) {
      unit.afterRollback()
      throw error
    }
    for (const each of resources) this.#resources.set(`${each.resourceType}/${each.id}`, each)
    await unit.afterCommit()
  }
}

interface Installation {
  readonly pool: Pool
  /** Loads the module into a host and starts it; stopped when `t` ends. */
  readonly load: (host: OwnTypesHost) => Promise<void>
  readonly startServer: () => Promise<MapServer>
}

async function install(t: TestContext): Promise<Installation> {
  const modules: FhirServerModule[] = []
  // Before the database goes: what is registered first runs first.
  t.after(() => Promise.all(modules.map((module) => module.stop())))
  const { pool, connectionString: database } = await testDatabase(t)
  const load = async (host: OwnTypesHost): Promise<void> => {
    const times = { registryLeaseMs: 200, stopTimeoutMs: 1000 }
    const module = kafkaTopicDestination({ database, baseUrl, ...times })
    module.register(host)
    modules.push(module)
    await module.start()
  }
  const startServer = async (): Promise<MapServer> => {
    const server = new MapServer(pool)
    await load(server.host)
    return server
  }
  return { pool, load, startServer }
}

describe('a host without SQL transactions', () => {
  it('sends best effort after its commit, and nothing of what it rolls back; criteria resolve by its read', async (t) => {
    const server = await (await install(t)).startServer()
    const kafkaTopic = await newTopic(bootstrapServers)
    const topic = topicResource('patients', {
      resource: 'Patient',
      fhirPathCriteria: "managingOrganization.resolve().name = 'Ours'",
    })
    const made = [
      await ask(server.host, 'POST', '/AidboxSubscriptionTopic', topic),
      await ask(
        server.host,
        'POST',
        '/AidboxTopicDestination',
        destination('d', { kind: 'kafka-best-effort', kafkaTopic, bootstrapServers }),
      ),
    ]
    assert.deepEqual(
      made.map(({ status }) => status),
      [201, 201],
      JSON.stringify(made),
    )
    const ours = { managingOrganization: { reference: 'Organization/ours' } }
    await server.put([{ resourceType: 'Organization', id: 'ours', name: 'Ours' }])
    const refused = server.put([patient('rolled-back', ours)], () => {
      throw new Error('changed my mind')
    })
    await assert.rejects(refused, /changed my mind/)
    await server.put([patient('a', ours), patient('theirs')])
    await server.put([patient('a', { ...ours, active: true })])
    const events = await readTold(bootstrapServers, kafkaTopic, ({ length }) => length >= 2)
    assert.deepEqual(
      events.map(({ number, focus }) => `${number} ${focus}`),
      ['1 Patient/a', '2 Patient/a'],
    )
  })

  it('is refused an at-least-once destination with not-supported', async (t) => {
    const { host } = await (await install(t)).startServer()
    await ask(host, 'POST', '/AidboxSubscriptionTopic', topicResource('patients'))
    const options = { kafkaTopic: 'any', bootstrapServers }
    const { status, body } = await ask(
      host,
      'POST',
      '/AidboxTopicDestination',
      destination('d', options),
    )
    const [issue] = (body as OperationOutcome).issue
    assert.deepEqual(
      [status, issue?.code, issue?.expression],
      [422, 'not-supported', ['AidboxTopicDestination.kind']],
    )
  })

  it('cannot pass topics and destinations off as its own resources', async (t) => {
    const server = await (await install(t)).startServer()
    await assert.rejects(server.put([topicResource('patients', { resource: 'Patient' })]), {
      code: 'KTD_NO_TRANSACTION',
    })
  })

  it('fails a write rather than lose it, where another node has an at-least-once destination', async (t) => {
    const { pool, load, startServer } = await install(t)
    const server = await startServer()
    const host = new OwnTypesHost({ pool, baseUrl })
    await load(host)
    const topic = topicResource('patients', { resource: 'Patient' })
    await ask(host, 'POST', '/AidboxSubscriptionTopic', topic)
    await server.put([patient('before')])
    const kafkaTopic = await newTopic(bootstrapServers)
    const created = await ask(
      host,
      'POST',
      '/AidboxTopicDestination',
      destination('d', { kafkaTopic, bootstrapServers }),
    )
    assert.equal(created.status, 201)
    await assert.rejects(server.put([patient('after')]), { code: 'KTD_NO_TRANSACTION' })
  })
})
