import { describe, it } from 'node:test'
import type { Pool } from 'pg'
import { fromPg } from '../../../src/host/sql-tx.ts'
import type { CommitHooks, FhirHost } from '../../../src/host/types.ts'
import { UnitOfWork } from '../../../src/host/unit-of-work.ts'
import {
  hostConformance,
  type HostUnderTest,
  type TransactionWrites,
} from '../../../src/testing/index.ts'
import { testDatabase, type TestDatabase } from '../../helpers/postgres.ts'
import { CommitHookAdapter } from './medplum-like/commit-hook-adapter.ts'
import {
  MedplumLikeRepository,
  migrateMedplumLike,
  readMedplumLike,
  type Stored,
} from './medplum-like/repository.ts'

let sharedDatabase: Promise<TestDatabase> | undefined
const database = () => (sharedDatabase ??= migratedDatabase())

async function migratedDatabase(): Promise<TestDatabase> {
  const migrated = await testDatabase({ name: 'medplum-like' })
  await migrateMedplumLike(migrated.pool)
  return migrated
}

const medplumLike: HostUnderTest = {
  async start(module) {
    const { pool } = await database()
    const hooks: CommitHooks[] = []
    module.register(moduleHost(pool, hooks))
    await module.start()
    const adapter = new CommitHookAdapter(() => new UnitOfWork(hooks))
    const open = () => new MedplumLikeRepository(pool, adapter)
    return {
      writes: repositoryWrites(open),
      async transaction(work) {
        const repository = open()
        await repository.withTransaction(() => work(repositoryWrites(() => repository)))
      },
      database: fromPg(pool),
      stop: () => module.stop(),
    }
  },
  lacks: {
    rest: 'the repository is tested without its HTTP server',
    bundles: 'the repository is tested without its HTTP server',
    requestHeaders: 'the repository is tested without its HTTP server',
    customResourceTypes: 'every type has tables of its own',
    refusedCaller: 'the repository is tested without its HTTP server',
  },
}

function moduleHost(pool: Pool, hooks: CommitHooks[]): FhirHost {
  return {
    capabilities: { sqlTransactions: true, customResourceTypes: false },
    registerResourceType: () => undefined,
    registerOperation: () => undefined,
    addCommitHooks: (added) => hooks.push(added),
    list: () => Promise.resolve([]),
    read: (references, tx) => readMedplumLike(tx ?? fromPg(pool), references),
  }
}

function repositoryWrites(repository: () => MedplumLikeRepository): TransactionWrites {
  const writes: TransactionWrites = {
    create: (resource) => repository().createResource(resource),
    update: (resource) => repository().updateResource(resource as Stored),
    delete: (resourceType, id) => repository().deleteResource(resourceType, id),
    patch: (resourceType, id, operations) =>
      repository().patchResource(resourceType, id, operations),
    nested: (work) => repository().withTransaction(() => work(writes)),
    sql: (statement) => repository().databaseClient.query(statement),
  }
  return writes
}

describe('host conformance: Medplum-like', () => {
  for (const { name, skip, run } of hostConformance(medplumLike)) it(name, { skip }, run)
})
