import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { fromPg } from '../../../src/host/sql-tx.ts'
import type { FhirServerModule } from '../../../src/host/types.ts'
import {
  hostConformance,
  HostConformanceError,
  type HostUnderTest,
  type TransactionWrites,
} from '../../../src/testing/index.ts'
import { testDatabase, type TestDatabase } from '../../helpers/postgres.ts'
import { restWrites } from '../hosts/rest-writes.ts'
import { faults, type Fault } from './faulty-host/faults.ts'
import { FaultyHost } from './faulty-host/faulty-host.ts'
import { RestServer } from './faulty-host/rest-server.ts'
import { runNested, type Session } from './faulty-host/transactions.ts'

let sharedDatabase: Promise<TestDatabase> | undefined
const database = () => (sharedDatabase ??= migratedDatabase())

async function migratedDatabase(): Promise<TestDatabase> {
  const migrated = await testDatabase({ name: 'faulty hosts' })
  await FaultyHost.migrate(migrated.pool)
  return migrated
}

function hostWith(fault?: Fault): HostUnderTest {
  return {
    async start(module) {
      const { pool } = await database()
      const host = new FaultyHost(pool, fault)
      module.register(host)
      await module.start()
      const server = new RestServer(host)
      const baseUrl = await server.listen()
      const headers = { authorization: 'Bearer known' }
      return {
        writes: restWrites(baseUrl, headers),
        transaction: (work) =>
          host.transactions.run((session) => work(sessionWrites(host, session))),
        database: fromPg(pool),
        rest: { baseUrl, headers, refusedHeaders: {} },
        async stop() {
          await server.close()
          await module.stop()
          host.close()
        },
      }
    },
  }
}

function sessionWrites(host: FaultyHost, session: Session): TransactionWrites {
  return {
    create: (resource) => host.create(session, resource),
    update: (resource) => host.update(session, { ...resource, id: resource.id ?? '' }),
    delete: (resourceType, id) => host.delete(session, resourceType, id),
    nested: (work) => runNested(session, host.fault, (inner) => work(sessionWrites(host, inner))),
    sql: (statement) => session.client.query(statement),
  }
}

/** Without what is optional. */
function plain(writes: TransactionWrites): TransactionWrites {
  return {
    create: (resource) => writes.create(resource),
    update: (resource) => writes.update(resource),
    delete: (resourceType, id) => writes.delete(resourceType, id),
  }
}

interface Finding {
  readonly fault: Fault
  /** The case that must find it. */
  readonly name: RegExp
  /** What the error must advise. */
  readonly advice: RegExp
}

const findings: readonly Finding[] = [
  {
    fault: 'meta not compared',
    name: /^a write that changes meta alone/,
    advice: /security labels/,
  },
  { fault: 'hooks get no tx', name: /^capabilities/, advice: /fromPg\(client\)/ },
  {
    fault: 'hooks twice for a write',
    name: /^a write calls beforeCommit once/,
    advice: /beforeCommit once/,
  },
  {
    fault: 'hooks after each write of a transaction',
    name: /^a transaction of several writes/,
    advice: /beforeCommit once/,
  },
  {
    fault: 'another unit for afterCommit',
    name: /^a write calls beforeCommit once/,
    advice: /same unit object/,
  },
  {
    fault: 'afterCommit before COMMIT',
    name: /^afterCommit comes after COMMIT/,
    advice: /when COMMIT has returned/,
  },
  { fault: 'afterCommit not awaited', name: /^the write is answered/, advice: /Await afterCommit/ },
  { fault: 'hooks for reads', name: /^reading calls no hook/, advice: /no hook/ },
  {
    fault: 'changes for writes that change nothing',
    name: /^a write that changes nothing/,
    advice: /no change/,
  },
  {
    fault: 'beforeCommit after COMMIT',
    name: /^beforeCommit is called in the open/,
    advice: /before COMMIT/,
  },
  {
    fault: 'rows written after beforeCommit',
    name: /^a transaction of several writes/,
    advice: /Write the rows/,
  },
  {
    fault: 'tx on a connection of its own',
    name: /is rolled back with the write$/,
    advice: /fromPg\(client\)/,
  },
  {
    fault: 'tx on a connection of its own',
    name: /is committed with the write$/,
    advice: /visible before COMMIT/,
  },
  {
    fault: 'placeholders replaced in the order they stand',
    name: /^tx.query takes/,
    advice: /what pg takes/,
  },
  { fault: 'tx swallows errors', name: /^tx takes a savepoint/, advice: /must reject/ },
  { fault: 'veto ignored', name: /^a rejection of beforeCommit/, advice: /must fail the write/ },
  { fault: 'no afterRollback', name: /^a rejection of beforeCommit/, advice: /afterRollback once/ },
  {
    fault: 'afterRollback after the answer',
    name: /^a rejection of beforeCommit/,
    advice: /afterRollback once/,
  },
  {
    fault: 'every error is 500',
    name: /^the status of .* of beforeCommit/,
    advice: /must be answered with 422/,
  },
  {
    fault: 'every error is 500',
    name: /^the status of .* of an operation/,
    advice: /decides the status/,
  },
  { fault: 'commits what failed', name: /^a transaction that fails/, advice: /must roll back/ },
  {
    fault: 'afterCommit on a silent ROLLBACK',
    name: /^a COMMIT that PostgreSQL/,
    advice: /tag ROLLBACK/,
  },
  { fault: 'current as the client sent it', name: /^a create is recorded/, advice: /as stored/ },
  {
    fault: 'currentJson of the version before',
    name: /^an update is recorded/,
    advice: /JSON text of current/,
  },
  { fault: 'no previous', name: /^an update is recorded/, advice: /version before/ },
  { fault: 'PATCH is a create', name: /^a PATCH is recorded/, advice: /is an update/ },
  { fault: 'delete with current', name: /^a delete is recorded/, advice: /no current/ },
  {
    fault: 'PUT is always an update',
    name: /^an update of an id that is not there/,
    advice: /is a create/,
  },
  { fault: 'PUT is always an update', name: /^an update of a deleted/, advice: /is a create/ },
  { fault: 'previous read without lock', name: /^previous is read under/, advice: /FOR UPDATE/ },
  {
    fault: 'changes in reverse order',
    name: /^all writes of a transaction/,
    advice: /in the order/,
  },
  { fault: 'one object for all versions', name: /^a change stays/, advice: /objects of its own/ },
  { fault: 'request headers ignored', name: /^correlation id/, advice: /x-topic-correlation-id/ },
  {
    fault: 'child of a savepoint kept',
    name: /^changes of a savepoint that is rolled/,
    advice: /drop that child/,
  },
  {
    fault: 'child of a savepoint dropped',
    name: /^changes of a savepoint that is rel/,
    advice: /release\(\)/,
  },
  {
    fault: 'savepoints released into the transaction',
    name: /^a savepoint takes/,
    advice: /its own parent/,
  },
  {
    fault: 'one unit for all attempts',
    name: /^changes of a failed attempt/,
    advice: /for each attempt/,
  },
  {
    fault: 'one unit for all attempts',
    name: /^an attempt that is repeated/,
    advice: /announced, once/,
  },
  {
    fault: 'no afterRollback before a retry',
    name: /^an attempt that is repeated/,
    advice: /afterRollback once/,
  },
  { fault: 'read gives deleted resources', name: /^read gives/, advice: /deleted/ },
  { fault: 'read ignores tx', name: /^read with tx/, advice: /on the tx/ },
  { fault: 'read sees uncommitted rows', name: /^read without tx/, advice: /another connection/ },
  {
    fault: 'references gives deleted resources',
    name: /^references gives/,
    advice: /leaves deleted resources out/,
  },
  {
    fault: 'references gives the last one again',
    name: /^references gives/,
    advice: /no reference twice/,
  },
  { fault: 'history oldest first', name: /^history gives past/, advice: /newest change first/ },
  { fault: 'history without previous', name: /^history gives past/, advice: /as previous/ },
  { fault: 'history of all times', name: /^history gives changes/, advice: /from and to/ },
  { fault: 'history of all types', name: /^history gives changes/, advice: /wanted types only/ },
  { fault: 'history gives deletions', name: /^history.read gives/, advice: /is not in it/ },
  {
    fault: 'history keeps its connections',
    name: /^whoever leaves the loop/,
    advice: /connection back/,
  },
  {
    fault: 'history does not hear the signal',
    name: /^whoever leaves the loop/,
    advice: /signal is aborted/,
  },
  { fault: 'id of the client dropped', name: /^a registered type/, advice: /keeps the id/ },
  {
    fault: 'nothing found by search parameters',
    name: /^a registered type/,
    advice: /search parameters/,
  },
  { fault: 'validate not called', name: /^validate is asked/, advice: /validate gets/ },
  { fault: 'validate without previous', name: /^validate is asked/, advice: /version before/ },
  { fault: 'toStored not called', name: /^toStored/, advice: /toStored makes/ },
  { fault: 'toAnswer not called', name: /^toStored/, advice: /Apply toAnswer/ },
  { fault: 'list gives deleted resources', name: /^list gives/, advice: /without deleted/ },
  { fault: 'every interaction served', name: /answers 405 in a Bundle/, advice: /405/ },
  {
    fault: 'every interaction served',
    name: /does not list answers 405$/,
    advice: /PATCH is not among/,
  },
  { fault: 'operation without input', name: /^a registered operation/, advice: /as input/ },
  {
    fault: 'operation on unknown instances',
    name: /^an operation on an unknown/,
    advice: /exists/,
  },
  {
    fault: 'no operations on type level',
    name: /^an operation of the type/,
    advice: /must answer 200/,
  },
  { fault: 'authorize lets everybody in', name: /^authorize refuses/, advice: /401 or 403/ },
  {
    fault: 'entries of a transaction apart',
    name: /^a transaction Bundle that fails/,
    advice: /Bundle that failed/,
  },
  {
    fault: 'entries of a transaction apart',
    name: /^a transaction Bundle is one unit/,
    advice: /beforeCommit once/,
  },
  { fault: 'batch in one transaction', name: /^every entry of a batch/, advice: /alone/ },
]

describe('a host without a fault', () => {
  for (const { name, skip, run } of hostConformance(hostWith())) it(name, { skip }, run)
})

describe('the suite finds a host where', () => {
  for (const { fault, name, advice } of findings) {
    it(`${fault}: ${name.source}`, async () => {
      const [chosen, ...others] = hostConformance(hostWith(fault)).filter((each) =>
        name.test(each.name),
      )
      assert.ok(chosen && others.length === 0, `${name} must name one case`)
      await assert.rejects(chosen.run(), (error) => {
        assert.ok(error instanceof HostConformanceError, String(error))
        assert.match(error.message, advice)
        return true
      })
    })
  }
})

it('every case of the suite fails for one of these hosts, and every fault is found', () => {
  const unfailing = hostConformance(hostWith()).filter(
    (each) => !findings.some(({ name }) => name.test(each.name)),
  )
  assert.deepEqual(
    unfailing.map(({ name }) => name),
    [],
  )
  const found = new Set(findings.map(({ fault }) => fault))
  assert.deepEqual(
    faults.filter((fault) => !found.has(fault)),
    [],
  )
})

describe('a case', () => {
  it('that needs what the host lacks is skipped with the reason, and does not pass when it is run', async () => {
    const subject: HostUnderTest = { ...hostWith(), lacks: { savepoints: 'no nesting here' } }
    const skipped = hostConformance(subject).filter(({ skip }) => skip !== false)
    assert.deepEqual(
      new Set(skipped.map(({ skip }) => skip)),
      new Set(['the host lacks savepoints: no nesting here']),
    )
    assert.ok(skipped.every(({ requires }) => requires.includes('savepoints')))
    for (const { run } of skipped) await assert.rejects(run(), /to be skipped: .*no nesting here/)
  })

  it('that finds nothing to test with says what to supply', async () => {
    const whole = hostWith()
    const bare: HostUnderTest = {
      async start(module) {
        const running = await whole.start(module)
        return {
          writes: running.writes,
          transaction: async (work) => running.transaction?.((writes) => work(plain(writes))),
          stop: () => running.stop(),
        }
      },
    }
    const abilities = new Set<string>()
    for (const { run, requires } of hostConformance(bare)) {
      const [settled] = await Promise.allSettled([run()])
      if (settled.status === 'fulfilled') continue
      const message = String(settled.reason)
      const [, ability = message] =
        /Nothing to test with.*HostUnderTest\.lacks\.(\w+)/.exec(message) ?? []
      assert.ok((requires as readonly string[]).includes(ability), message)
      abilities.add(ability)
    }
    assert.deepEqual([...abilities].toSorted(), [
      'rest',
      'savepoints',
      'sqlTransactions',
      'statements',
    ])
  })

  it('of a server that does not load the module says so', async () => {
    const whole = hostWith()
    const [first] = hostConformance({
      start: (module) => {
        const unheard: FhirServerModule = {
          name: module.name,
          register: () => undefined,
          start: () => module.start(),
          stop: () => module.stop(),
          [Symbol.asyncDispose]: () => module.stop(),
        }
        return whole.start(unheard)
      },
    })
    await assert.rejects(first?.run() ?? Promise.resolve(), /must load the module/)
  })
})
