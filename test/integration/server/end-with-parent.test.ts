import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync } from 'node:fs'
import { createInterface } from 'node:readline'
import { it } from 'node:test'
import { setTimeout as delay } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { Client } from 'pg'

const parentProgram = `
  import pg from 'pg'
  import { startPostgres } from './src/server/embedded/embedded-postgres.ts'
  const { connectionString } = await startPostgres()
  const client = new pg.Client({ connectionString })
  await client.connect()
  const { rows } = await client.query('show data_directory')
  console.log(JSON.stringify({ connectionString, dataDirectory: rows[0].data_directory }))
`

it('a server ends, and its temporary data with it, when its parent is killed', async (t) => {
  const parent = spawn(
    process.execPath,
    ['--import', 'tsx', '--input-type=module', '--eval', parentProgram],
    {
      cwd: fileURLToPath(new URL('../../..', import.meta.url)),
      stdio: ['ignore', 'pipe', 'inherit'],
    },
  )
  t.after(() => parent.kill('SIGKILL'))
  const [line] = (await once(createInterface(parent.stdout), 'line')) as [string]
  const { connectionString, dataDirectory } = JSON.parse(line) as Record<string, string>
  assert.ok(connectionString !== undefined && dataDirectory !== undefined)
  assert.ok(existsSync(dataDirectory))

  parent.kill('SIGKILL')
  // Whoever deletes it is no child of this process and says nothing.
  for (const endsAt = Date.now() + 30_000; existsSync(dataDirectory); await delay(20)) {
    assert.ok(Date.now() < endsAt, 'the data directory is still there')
  }
  await assert.rejects(new Client({ connectionString }).connect(), { code: 'ECONNREFUSED' })
})
