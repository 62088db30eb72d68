import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { createInterface } from 'node:readline'
import { it } from 'node:test'
import { fileURLToPath } from 'node:url'
import { startCli } from '../helpers/cli-process.ts'
import { testDatabase } from '../helpers/postgres.ts'

it('npm run demo -- --keep prints both records and both answers, runs on, and ends with its signal', async (t) => {
  const demo = spawn(process.execPath, ['--import', 'tsx', 'src/cli/main.ts', 'demo', '--keep'], {
    cwd: fileURLToPath(new URL('../..', import.meta.url)),
    env: { ...process.env, DATABASE_URL: undefined, KAFKA_BOOTSTRAP_SERVERS: undefined },
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  t.after(() => demo.kill('SIGKILL'))
  let text = ''
  for await (const line of createInterface(demo.stdout)) {
    text += `${line}\n`
    if (line.startsWith('Kafka: ')) break
  }
  assert.match(text, /not a real Kafka/)
  for (const kind of ['at-least-once', 'best-effort']) {
    assert.match(text, new RegExp(`^Kafka record +demo-${kind}-\\w+ \\[\\d\\] @0, key demo-`, 'm'))
    assert.match(text, new RegExp(`^GET AidboxTopicDestination/kafka-${kind}-\\w+/\\$status$`, 'm'))
  }
  assert.equal(text.match(/"valueDecimal": 1$/gm)?.length, 2)
  const url = /Running until Ctrl-C: (\S+)/.exec(text)?.[1]
  assert.equal((await fetch(`${url}/metadata`)).status, 200)
  const pages = /^Console: (\S+)$/m.exec(text)?.[1]
  assert.equal((await fetch(pages ?? '')).status, 200)
  const exit = once(demo, 'exit')
  demo.kill('SIGTERM')
  assert.deepEqual(await exit, [0, null])
})

it('npm run demo on a given database leaves none of its resources there', async (t) => {
  const { connectionString, pool } = await testDatabase(t)
  const demo = startCli(t, ['demo', '--json'], {
    DATABASE_URL: connectionString,
    KAFKA_BOOTSTRAP_SERVERS: undefined,
  })
  assert.equal(await demo.exited, 0, demo.text('err'))
  const { rows } = await pool.query(`select type, id from fhir_resource where not deleted`)
  assert.deepEqual(rows, [])
})
