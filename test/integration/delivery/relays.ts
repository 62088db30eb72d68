import assert from 'node:assert/strict'
import { spawn, type ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { join } from 'node:path'
import type { TestContext } from 'node:test'
import type { Nodes } from './nodes.ts'
import type { RelaySettings } from './relay-process.ts'

const script = join(import.meta.dirname, 'relay-process.ts')

/** A node in a process of its own; killed after the test. */
export function startRelay(t: TestContext, settings: RelaySettings): ChildProcess {
  const relay = spawn(process.execPath, ['--import', 'tsx', script, JSON.stringify(settings)], {
    stdio: ['ignore', 'ignore', 'inherit'],
  })
  t.after(() => relay.kill('SIGKILL'))
  return relay
}

/** Ends the one node and switches the destination `d` on, for whoever leads it next.
 *  @returns the database of relays */
export async function handOver({ first, pool }: Pick<Nodes, 'first' | 'pool'>): Promise<string> {
  await first.module.stop()
  await pool.query(
    `update resource set body = jsonb_set(body, '{status}', '"active"') where reference = 'AidboxTopicDestination/d'`,
  )
  const { connectionString } = pool.options as { connectionString: string }
  return connectionString
}

/** Runs until it has killed itself. */
export async function untilDead(t: TestContext, settings: RelaySettings): Promise<void> {
  const relay = startRelay(t, settings)
  const [, signal] = (await once(relay, 'exit')) as [number | null, string | null]
  assert.equal(signal, 'SIGKILL')
}
