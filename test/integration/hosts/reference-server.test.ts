import { describe, it } from 'node:test'
import type { Patient } from '@medplum/fhirtypes'
import knex from 'knex'
import { fromKnex, fromPg } from '../../../src/host/sql-tx.ts'
import type { FhirHost } from '../../../src/host/types.ts'
import { createServer } from '../../../src/server/create-server.ts'
import {
  KnexRepository,
  storedVersions,
  type RepositoryContext,
} from '../../../src/server/storage/knex-repository.ts'
import { migrateServer } from '../../../src/server/storage/schema.ts'
import { asJson, asResource } from '../../../src/rest/resource-shapes.ts'
import { loadR4Definitions } from '../../../src/server/storage/validation.ts'
import {
  hostConformance,
  type HostUnderTest,
  type TransactionWrites,
} from '../../../src/testing/index.ts'
import { testDatabase, type TestDatabase } from '../../helpers/postgres.ts'
import { restWrites } from './rest-writes.ts'

let sharedDatabase: Promise<TestDatabase> | undefined
const database = () => (sharedDatabase ??= testDatabase({ name: 'reference server' }))

const authToken = 'conformance'
const headers = { authorization: `Bearer ${authToken}` }

const overRest: HostUnderTest = {
  async start(module) {
    const { connectionString, pool } = await database()
    const server = await createServer({
      databaseUrl: connectionString,
      authToken,
      modules: [module],
    })
    const baseUrl = await server.listen()
    return {
      writes: restWrites(baseUrl, headers),
      database: fromPg(pool),
      rest: { baseUrl, headers, refusedHeaders: {} },
      stop: () => server.close(),
    }
  },
  lacks: {
    transactions: 'a client has transaction Bundles only; the repository is tested below',
    savepoints: 'no client can ask for one; the repository is tested below',
    statements: 'no client can run SQL',
  },
}

const ofRepository: HostUnderTest = {
  async start(module) {
    const { connectionString, pool } = await database()
    await loadR4Definitions()
    const connections = knex({
      client: 'pg',
      connection: connectionString,
      pool: { min: 0, max: 5 },
    })
    await migrateServer(connections)
    await pool.query(runBasicDdl)
    const context: RepositoryContext = { knex: connections, hooks: [], types: new Map() }
    module.register(repositoryHost(context))
    await module.start()
    const open = () => new KnexRepository(context, { clientBaseUrl: 'http://localhost/fhir' })
    return {
      writes: repositoryWrites(open),
      async transaction(work) {
        const repository = open()
        await repository.withTransaction(() => work(repositoryWrites(() => repository)))
      },
      database: fromPg(pool),
      async stop() {
        await module.stop()
        await connections.destroy()
      },
    }
  },
  lacks: {
    history: 'the server is tested above',
    references: 'the server is tested above',
    rest: 'the server is tested above',
    bundles: 'the server is tested above',
    requestHeaders: 'the server is tested above',
    customResourceTypes: 'the server is tested above',
    refusedCaller: 'the server is tested above',
  },
}

/** Statements of the suite run in a trigger: they fail in the middle of a write of the repository. */
const runBasicDdl = `
  create or replace function run_basic() returns trigger language plpgsql as $$
    begin execute new.content->'code'->>'text'; return new; end $$;
  create or replace trigger run_basic before insert on fhir_resource
    for each row when (new.type = 'Basic') execute function run_basic();`

function repositoryHost(context: RepositoryContext): FhirHost {
  return {
    capabilities: { sqlTransactions: true, customResourceTypes: false },
    registerResourceType: () => undefined,
    registerOperation: () => undefined,
    addCommitHooks: (hooks) => context.hooks.push(hooks),
    list: (resourceType) => storedVersions.list(fromKnex(context.knex), resourceType),
    read: (references, tx) => storedVersions.read(tx ?? fromKnex(context.knex), references),
  }
}

function repositoryWrites(repository: () => KnexRepository): TransactionWrites {
  const writes: TransactionWrites = {
    create: async (resource) =>
      asJson(await repository().createResource(asResource(resource) as Patient)),
    update: async (resource) =>
      asJson(await repository().updateResource(asResource(resource) as Patient)),
    delete: (resourceType, id) => repository().deleteResource(resourceType, id),
    patch: (resourceType, id, operations) =>
      repository().patchResource(resourceType as 'Patient', id, [...operations]),
    nested: (work) => repository().withTransaction(() => work(writes)),
    sql: (statement) =>
      repository().createResource({ resourceType: 'Basic', code: { text: statement } }),
  }
  return writes
}

for (const [name, subject] of Object.entries({
  'reference server over REST': overRest,
  'repository of the reference server': ofRepository,
})) {
  describe(`host conformance: ${name}`, () => {
    for (const { name: promise, skip, run } of hostConformance(subject)) it(promise, { skip }, run)
  })
}
