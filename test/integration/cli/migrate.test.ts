import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { runCommand } from '../../../src/cli/run-command.ts'
import { fromPg } from '../../../src/host/sql-tx.ts'
import { outboxGrantsSql } from '../../../src/outbox/host-grants.ts'
import { outboxVersion } from '../../../src/outbox/migrations.ts'
import { readInstallation } from '../../../src/outbox/restore.ts'
import { outboxSchema } from '../../../src/outbox/schema.ts'
import { startCli } from '../../helpers/cli-process.ts'
import { testDatabase } from '../../helpers/postgres.ts'

interface Outcome {
  readonly code: number
  readonly out: string
  readonly err: string
}

async function migrate(env: NodeJS.ProcessEnv, ...args: readonly string[]): Promise<Outcome> {
  let [out, err] = ['', '']
  const code = await runCommand(['migrate', ...args], {
    env,
    isTerminal: false,
    out: (text) => (out += text),
    err: (text) => (err += text),
  })
  return { code, out, err }
}

describe('fhir-kafka migrate', () => {
  it('brings a database up to date, and says its version before and after', async (t) => {
    const { connectionString, pool } = await testDatabase(t)
    const env = { DATABASE_URL: connectionString }
    const missing = await migrate(env, '--check')
    assert.deepEqual(missing, {
      code: 2,
      out: `topic_destination: version 0, wanted is ${outboxVersion}\n`,
      err: '',
    })
    const { rows } = await pool.query(
      `select from pg_namespace where nspname = 'topic_destination'`,
    )
    assert.equal(rows.length, 0)
    const done = await migrate(env)
    assert.deepEqual(done, {
      code: 0,
      out: `topic_destination: version 0 before, ${outboxVersion} now\n`,
      err: '',
    })
    await readInstallation(fromPg(pool), outboxSchema())
    const upToDate = `topic_destination: version ${outboxVersion}, up to date\n`
    for (const args of [[], ['--check']]) {
      assert.deepEqual(await migrate(env, ...args), { code: 0, out: upToDate, err: '' })
    }
  })

  it('takes the database and the schema from its options first, and answers in JSON', async (t) => {
    const { connectionString, pool } = await testDatabase(t)
    const env = { DATABASE_URL: 'postgres://127.0.0.1:1/nowhere', OUTBOX_SCHEMA: 'of the variable' }
    const options = ['--database-url', connectionString, '--schema', 'of the option', '--json']
    const versions = { before: 0, after: outboxVersion, wanted: outboxVersion }
    const { code, out } = await migrate(env, ...options)
    assert.deepEqual([code, JSON.parse(out)], [0, { schema: 'of the option', ...versions }])
    await pool.query(`delete from "of the option".migration where version > 3`)
    const behind = await migrate(env, ...options, '--check')
    assert.deepEqual(
      [behind.code, JSON.parse(behind.out)],
      [2, { schema: 'of the option', before: 3, after: 3, wanted: outboxVersion }],
    )
    const variable = await migrate({ ...env, DATABASE_URL: connectionString })
    assert.equal(variable.out, `of the variable: version 0 before, ${outboxVersion} now\n`)
  })

  it('finds the database as psql does', async (t) => {
    const { connectionString } = await testDatabase(t)
    const { hostname, port, username, password, pathname } = new URL(connectionString)
    const process = startCli(t, ['migrate'], {
      DATABASE_URL: undefined,
      PGHOST: hostname,
      PGPORT: port,
      PGUSER: decodeURIComponent(username),
      PGPASSWORD: decodeURIComponent(password),
      PGDATABASE: pathname.slice(1),
    })
    assert.equal(await process.exited, 0, process.text('err'))
    assert.match(process.text('out'), /^topic_destination: version 0 before, \d+ now\n$/)
  })

  it('leaves a schema alone that is newer, and says what is wrong with a database', async (t) => {
    const { connectionString, pool } = await testDatabase(t)
    const env = { DATABASE_URL: connectionString }
    await migrate(env)
    await pool.query(`insert into topic_destination.migration (version) values (99)`)
    for (const args of [[], ['--check']]) {
      const newer = await migrate(env, ...args)
      assert.deepEqual(
        [newer.code, newer.err],
        [1, `The schema topic_destination has version 99, this module knows ${outboxVersion}.\n`],
      )
    }
    const url = new URL(connectionString)
    url.password = 'wrong-sesame'
    const refused = await migrate({}, '--database-url', url.href)
    assert.equal(refused.code, 1)
    assert.match(refused.err, /^The database: password authentication failed[^\n]*\.\n$/)
    assert.doesNotMatch(refused.err, /sesame/)
    const nowhere = await migrate(
      {},
      '--database-url',
      'postgres://u:sesame@127.0.0.1:1/x',
      '--json',
    )
    const { error } = JSON.parse(nowhere.out) as { error: { message: string } }
    assert.match(error.message, /^The database: .*ECONNREFUSED/)
    assert.doesNotMatch(nowhere.out, /sesame/)
    const unreadable = await migrate({}, '--database-url', 'postgres://u:ses ame@:x:y')
    assert.equal(unreadable.code, 1)
    assert.match(unreadable.err, /^The database: [^\n]*\n$/)
    assert.doesNotMatch(unreadable.err, /ses ame/)
  })

  it('prints the rights of the role of the host, which are enough', async (t) => {
    const { connectionString, pool } = await testDatabase(t)
    const { out } = await migrate({ OUTBOX_SCHEMA: 'o' }, '--grants', 'a "role"')
    assert.equal(out, outboxGrantsSql('a "role"', 'o'))
    const json = await migrate({}, '--grants', 'pg_monitor', '--json')
    const { sql } = JSON.parse(json.out) as { sql: string }
    await migrate({ DATABASE_URL: connectionString })
    await pool.query(sql)
    const { rows } = await pool.query(
      `select has_table_privilege('pg_monitor', 'topic_destination.event', 'insert') as "mayInsert"`,
    )
    assert.deepEqual(rows, [{ mayInsert: true }])
    for (const args of [
      ['--grants', ''],
      ['--grants', 'app', '--check'],
    ]) {
      const refused = await migrate({}, ...args)
      assert.deepEqual(
        [refused.code, refused.err],
        [1, '--grants takes the name of a role, and no --check.\n'],
      )
    }
    const other = await migrate({}, 'now')
    assert.deepEqual([other.code, other.err], [1, 'migrate takes options only, not now.\n'])
  })
})
