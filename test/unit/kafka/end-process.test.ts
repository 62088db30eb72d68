import assert from 'node:assert/strict'
import { execFile, execFileSync } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, it } from 'node:test'
import { fileURLToPath } from 'node:url'

const source = (name: string): string =>
  JSON.stringify(fileURLToPath(new URL(`../../../src/kafka/${name}.ts`, import.meta.url)))

/** @returns exit code and signal of a process that does this and ends itself with 3 */
async function ended(before: string): Promise<unknown[]> {
  const script = `
    const { blockingCalls } = await import(${source('blocking-calls')})
    const { endProcess } = await import(${source('end-process')})
    ${before}
    endProcess(3)`
  const child = execFile(process.execPath, ['--import', 'tsx', '--input-type=module', '-e', script])
  return once(child, 'exit')
}

describe('endProcess', () => {
  it('ends with the exit code', async () => {
    assert.deepEqual(await ended(''), [3, null])
  })

  it('ends, too, while a call holds a thread that does not come back', async (t) => {
    const folder = await mkdtemp(join(tmpdir(), 'held-thread-'))
    t.after(() => rm(folder, { recursive: true }))
    const pipe = join(folder, 'pipe')
    // Nobody writes to it, so to open it takes a thread for good.
    execFileSync('mkfifo', [pipe])
    const held = `
      const { open } = await import('node:fs/promises')
      void blockingCalls.run('request', 'cluster', () => open(${JSON.stringify(pipe)}))
      await new Promise(setImmediate)`
    assert.deepEqual(await ended(held), [null, 'SIGKILL'])
  })
})
