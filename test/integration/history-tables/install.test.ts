import assert from 'node:assert/strict'
import { describe, it, type TestContext } from 'node:test'
import { Client, Pool } from 'pg'
import {
  installTriggersSql,
  uninstallTriggers,
  uninstallTriggersSql,
} from '../../../src/history-tables/install-triggers.ts'
import { sharedPostgres, testDatabase } from '../../helpers/postgres.ts'
import { eventually, openTransaction } from '../postgres/outbox-fixture.ts'
import {
  capturePlan,
  install,
  newId,
  outline,
  relayedChanges,
  startRelay,
  testCapture,
} from './captures.ts'
import { createMedplumTables, put, remove } from './medplum-tables.ts'

const plan = capturePlan()

async function triggersOf(pool: Pool): Promise<string[]> {
  const { rows } = await pool.query<{ name: string }>(
    `select tgrelid::regclass::text || ' ' || tgname as name from pg_trigger where not tgisinternal order by 1`,
  )
  return rows.map(({ name }) => name)
}

async function captured(pool: Pool): Promise<number> {
  const { rows } = await pool.query(`select from ${plan.schema.event}`)
  return rows.length
}

describe('installing triggers', () => {
  it('may be done by ten nodes at once, and changes nothing the second time', async (t) => {
    const { pool } = await testDatabase(t)
    await createMedplumTables(pool, 'Patient', 'Observation')
    const changed = await Promise.all(Array.from({ length: 10 }, () => install(pool, plan)))
    assert.ok(changed.some((tables) => tables.length === 2))
    assert.deepEqual(await triggersOf(pool), [
      '"Observation_History" captured',
      '"Patient_History" captured',
    ])
    assert.deepEqual(await install(pool, plan), [])
    await put(pool, 'Patient', newId())
    assert.equal(await captured(pool), 1)
  })

  it('does not wait for writers when everything is in place', async (t) => {
    const { pool } = await testCapture(t)
    const open = await openTransaction(pool)
    await put(open.tx, 'Patient', newId())
    assert.deepEqual(await install(pool, plan), [])
    await open.commit()
  })

  it('ends when no transaction is left that has written without the trigger', async (t) => {
    const { pool } = await testDatabase(t)
    await createMedplumTables(pool, 'Patient', 'Observation')
    const open = await openTransaction(pool)
    await put(open.tx, 'Patient', newId())
    const installing = install(pool, plan)
    await eventually(async () => {
      const waiting = await pool.query(
        `select from pg_stat_activity where datname = current_database() and wait_event_type = 'Lock'`,
      )
      return waiting.rows.length > 0
    })
    assert.deepEqual(await triggersOf(pool), ['"Observation_History" captured'])
    await open.commit()
    await installing
    await put(pool, 'Patient', newId())
    assert.equal(await captured(pool), 1)
  })

  it('finds tables that came later, triggers that were disabled, and functions of an older version', async (t) => {
    const { pool } = await testCapture(t)
    await createMedplumTables(pool, 'Encounter')
    const more = capturePlan(['Patient', 'Observation', 'Encounter'])
    await pool.query('alter table "Patient_History" disable trigger captured')
    await pool.query(
      `create or replace function captured."capture_Observation"() returns trigger language plpgsql as 'begin return null; end'`,
    )
    assert.deepEqual(await install(pool, more), [
      'Encounter_History',
      'Observation_History',
      'Patient_History',
    ])
    for (const type of more.resourceTypes) await put(pool, type, newId())
    assert.equal(await captured(pool), 3)
  })

  it('is undone without a trace on the server’s tables, whose writes go on', async (t) => {
    const { pool } = await testCapture(t)
    // Also of types that have been left out since.
    await uninstallTriggers(pool, capturePlan(['Patient']))
    await uninstallTriggers(pool, plan)
    assert.deepEqual(await triggersOf(pool), [])
    const { rows } = await pool.query(
      `select from pg_proc where pronamespace = 'captured'::regnamespace`,
    )
    assert.equal(rows.length, 0)
    await put(pool, 'Patient', newId())
    assert.equal(await captured(pool), 0)
  })

  it('can be done by hand with the printed SQL', async (t) => {
    const { pool } = await testDatabase(t)
    await createMedplumTables(pool, 'Patient', 'Observation')
    await pool.query(installTriggersSql(plan))
    await put(pool, 'Patient', newId())
    assert.deepEqual(await install(pool, plan), [])
    assert.equal(await captured(pool), 1)
    await pool.query(uninstallTriggersSql(plan))
    assert.deepEqual(await triggersOf(pool), [])
  })

  it('refuses tables on which the trigger would fail, and leaves them alone', async (t) => {
    const { pool } = await testDatabase(t)
    await assert.rejects(install(pool, plan), {
      code: 'KTD_HISTORY_TABLES',
      message: /no table \{type\}_History in the schema public/,
    })
    await createMedplumTables(pool, 'Patient')
    const layout = { columns: { versionId: 'version', content: 'body' } }
    await assert.rejects(install(pool, capturePlan(['Patient'], layout)), {
      code: 'KTD_HISTORY_TABLES',
      message: /Patient_History has no column version, body/,
    })
    assert.deepEqual(await triggersOf(pool), [])
  })
})

/** A role that may log in, and nothing else yet. */
async function createRole(
  t: TestContext,
  pool: Pool,
  connectionString: string,
): Promise<[string, Pool]> {
  const name = `role_${newId().slice(0, 8)}`
  await pool.query(`create role ${name} login password 'role'`)
  const url = new URL(connectionString)
  url.username = name
  url.password = 'role'
  const own = new Pool({ connectionString: url.href, max: 2 })
  own.on('error', () => undefined)
  t.after(async () => {
    await own.end()
    // What the role owned has gone with its database.
    const client = new Client({ connectionString: await sharedPostgres() })
    await client.connect()
    await client.query(`drop role ${name}`)
    await client.end()
  })
  return [name, own]
}

describe('rights', () => {
  it('the server’s role needs none on the module’s schema, and cannot use the function for itself', async (t) => {
    const { pool, connectionString } = await testCapture(t)
    const [server, asServer] = await createRole(t, pool, connectionString)
    await pool.query(
      `grant all on all tables in schema public to ${server}; grant create on schema public to ${server}`,
    )
    const id = newId()
    await put(asServer, 'Patient', id)
    await remove(asServer, 'Patient', id)
    assert.equal(await captured(pool), 2)
    const refused = { code: '42501' }
    await assert.rejects(asServer.query(`select from ${plan.schema.event}`), refused)
    await asServer.query('create table forged (id text)')
    await assert.rejects(
      asServer.query(
        `create trigger t after insert on forged referencing new table as inserted for each statement execute function captured."capture_Patient"()`,
      ),
      refused,
    )
  })

  it('the module’s role needs SELECT and TRIGGER on the tables, and says so', async (t) => {
    const { pool, connectionString } = await testDatabase(t)
    await createMedplumTables(pool, 'Patient')
    const [module, asModule] = await createRole(t, pool, connectionString)
    const { rows } = await pool.query<{ name: string }>('select current_database() as name')
    await pool.query(`grant create on database ${rows[0]?.name ?? ''} to ${module}`)
    const patients = capturePlan(['Patient'])
    await assert.rejects(install(asModule, patients), {
      code: 'KTD_HISTORY_TABLES',
      message: /may not read the table Patient_History/,
    })
    await pool.query(`grant select on "Patient_History" to ${module}`)
    await assert.rejects(install(asModule, patients), {
      code: 'KTD_HISTORY_TABLES',
      message: /needs TRIGGER on the table/,
    })
    await pool.query(`grant trigger on "Patient_History" to ${module}`)
    await install(asModule, patients)
    await put(pool, 'Patient', newId())
    assert.equal(await captured(pool), 1)
  })
})

describe('other layouts', () => {
  it('one table for all types, partitioned, with other names and column types', async (t) => {
    const database = await testDatabase(t)
    const { pool } = database
    await pool.query(
      `create schema fhir;
       create table fhir.resource_version (kind text, key bigint, version int, body jsonb, at timestamptz, primary key (kind, key, version))
         partition by hash (kind);
       create table fhir.part_0 partition of fhir.resource_version for values with (modulus 2, remainder 0);
       create table fhir.part_1 partition of fhir.resource_version for values with (modulus 2, remainder 1)`,
    )
    const layout = {
      schema: 'fhir',
      historyTable: 'resource_version',
      currentTable: 'resource',
      columns: {
        resourceType: 'kind',
        id: 'key',
        versionId: 'version',
        content: 'body',
        lastUpdated: 'at',
        deleted: null,
      },
    }
    const one = capturePlan(['Patient', 'Observation'], layout)
    await install(pool, one)
    assert.deepEqual(await install(pool, one), [])
    await pool.query(
      `insert into fhir.resource_version values
         ('Patient', 1, 1, '{"n": 1}', now()), ('Observation', 1, 1, '{"n": 2}', now()), ('User', 1, 1, '{"n": 3}', now())`,
    )
    await pool.query(
      `insert into fhir.resource_version values ('Patient', 1, 2, '{"n": 4}', now()), ('Observation', 1, 2, null, now())`,
    )
    const relay = await startRelay(t, { ...database, plan: one })
    assert.ok(await relay.caughtUp(20_000))
    const changes = await relayedChanges(pool)
    assert.deepEqual(outline(changes).toSorted(), [
      'create Observation',
      'create Patient',
      'delete Observation',
      'update Patient',
    ])
    const previous = changes.map((change) => Number(change.previous?.['n'] ?? 0))
    assert.deepEqual(
      previous.toSorted((a, b) => a - b),
      [0, 0, 1, 2],
    )
    await uninstallTriggers(pool, one)
    assert.deepEqual(await triggersOf(pool), [])
  })

  it('a table of all types needs the column of the type', () => {
    assert.throws(() => capturePlan([], { historyTable: 'resource_version' }), {
      code: 'KTD_INVALID_OPTION',
      message: /resourceType is required/,
    })
  })
})
