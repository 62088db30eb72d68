import { describe, it } from 'node:test'
import { fromPg } from '../../../src/host/sql-tx.ts'
import {
  hostConformance,
  type HostUnderTest,
  type TransactionWrites,
} from '../../../src/testing/index.ts'
import { testDatabase, type TestDatabase } from '../../helpers/postgres.ts'
import {
  migrateMedplumLike,
  type MedplumLikeRepository,
  type Stored,
} from './medplum-like/repository.ts'
import { startMedplumLike } from './medplum-like/server.ts'
import { restWrites } from './rest-writes.ts'

let sharedDatabase: Promise<TestDatabase> | undefined
const database = () => (sharedDatabase ??= migratedDatabase())

async function migratedDatabase(): Promise<TestDatabase> {
  const migrated = await testDatabase({ name: 'medplum-like' })
  await migrateMedplumLike(migrated.pool)
  return migrated
}

const headers = { authorization: 'Bearer known' }

const medplumLike: HostUnderTest = {
  async start(module) {
    const { pool } = await database()
    const server = await startMedplumLike(pool, () => module)
    const { baseUrl } = server
    return {
      writes: restWrites(baseUrl, headers),
      async transaction(work) {
        const repository = server.repository()
        await repository.withTransaction(() => work(repositoryWrites(repository)))
      },
      database: fromPg(pool),
      rest: { baseUrl, headers, refusedHeaders: {} },
      stop: () => server.close(),
    }
  },
  lacks: {
    history: 'it gives the module none',
    references: 'it gives the module none',
    bundles: 'Bundles of its own resources are left out; transactions are tested on the repository',
    requestHeaders: 'it does not read them',
  },
}

function repositoryWrites(repository: MedplumLikeRepository): TransactionWrites {
  const writes: TransactionWrites = {
    create: (resource) => repository.createResource(resource),
    update: (resource) => repository.updateResource(resource as Stored),
    delete: (resourceType, id) => repository.deleteResource(resourceType, id),
    patch: (resourceType, id, operations) => repository.patchResource(resourceType, id, operations),
    nested: (work) => repository.withTransaction(() => work(writes)),
    sql: (statement) => repository.databaseClient.query(statement),
  }
  return writes
}

describe('host conformance: Medplum-like', () => {
  for (const { name, skip, run } of hostConformance(medplumLike)) it(name, { skip }, run)
})
