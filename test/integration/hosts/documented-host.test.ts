import assert from 'node:assert/strict'
import { randomUUID } from 'node:crypto'
import { readFile } from 'node:fs/promises'
import { describe, it } from 'node:test'
import type { PoolClient } from 'pg'
import { fromPg, type CommitHooks, type FhirResource, type UnitOfWork } from '../../../src/index.ts'
import {
  hostAbilities,
  hostConformance,
  type HostUnderTest,
  type TransactionWrites,
} from '../../../src/testing/index.ts'
import { testDatabase, type TestDatabase } from '../../helpers/postgres.ts'
import { createHost, inTransaction, nested, put, remove } from './documented-host.ts'

let sharedDatabase: Promise<TestDatabase> | undefined
const database = () => (sharedDatabase ??= migratedDatabase())

async function migratedDatabase(): Promise<TestDatabase> {
  const migrated = await testDatabase({ name: 'documented host' })
  await migrated.pool.query(
    'create table resource (type text, id text, version int not null, body json, primary key (type, id))',
  )
  return migrated
}

type Work<Result> = (client: PoolClient, unit: UnitOfWork) => Promise<Result>

const documentedHost: HostUnderTest = {
  async start(module) {
    const { pool } = await database()
    const hooks: CommitHooks[] = []
    module.register(createHost(pool, hooks))
    await module.start()
    return {
      writes: writesIn((work) => inTransaction(pool, hooks, work)),
      transaction: (work) =>
        inTransaction(pool, hooks, (client, unit) => work(openWrites(client, unit))),
      database: fromPg(pool),
      stop: () => module.stop(),
    }
  },
  lacks: {
    history: 'the document keeps no versions',
    references: 'the document gives the module none',
    patch: 'the document shows no PATCH',
    rest: 'the document leaves HTTP out',
    bundles: 'the document leaves HTTP out',
    requestHeaders: 'the document leaves HTTP out',
    refusedCaller: 'the document leaves HTTP out',
    customResourceTypes: 'the document takes the adapter for them',
  },
}

function openWrites(client: PoolClient, unit: UnitOfWork): TransactionWrites {
  return {
    ...writesIn((work) => work(client, unit)),
    nested: (work) => nested(client, unit, (inner, child) => work(openWrites(inner, child))),
    sql: (statement) => client.query(statement),
  }
}

function writesIn(run: <Result>(work: Work<Result>) => Promise<Result>): TransactionWrites {
  const update = (resource: FhirResource): Promise<FhirResource> =>
    run((client, unit) => put(client, unit, { ...resource, id: resource.id ?? randomUUID() }))
  return {
    create: update,
    update,
    delete: (resourceType, id) => run((client, unit) => remove(client, unit, [resourceType, id])),
  }
}

describe('host conformance: the host of docs/hosts.md', () => {
  for (const { name, skip, run } of hostConformance(documentedHost)) it(name, { skip }, run)
})

describe('docs/hosts.md', async () => {
  const document = await read('../../../docs/hosts.md')
  const blocks = [...document.matchAll(/^```ts\n([\s\S]*?)^```$/gm)].map(([, code = '']) => code)

  it('shows the code that is tested here', async () => {
    const sources = await Promise.all([read('documented-host.ts'), read('documented-host.test.ts')])
    const source = sources
      .join('\n')
      .replaceAll(/'(?:\.\.\/)+src\/index\.ts'/g, "'fhir-topic-destination-kafka'")
      .replaceAll(/'(?:\.\.\/)+src\/testing\/index\.ts'/g, "'fhir-topic-destination-kafka/testing'")
    assert.ok(blocks.length >= 4)
    for (const block of blocks) assert.ok(source.includes(block.trim()), block)
  })

  it('names every ability that a host can lack', () => {
    for (const ability of Object.keys(hostAbilities))
      assert.match(document, new RegExp(`\`${ability}\``))
  })
})

async function read(path: string): Promise<string> {
  return readFile(new URL(path, import.meta.url), 'utf8')
}
