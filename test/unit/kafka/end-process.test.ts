import assert from 'node:assert/strict'
import { execFile, execFileSync, type ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp, open, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, it, type TestContext } from 'node:test'
import { fileURLToPath } from 'node:url'

const source = (name: string): string =>
  JSON.stringify(fileURLToPath(new URL(`../../../src/kafka/${name}.ts`, import.meta.url)))

/** A process that does this. */
function running(script: string): ChildProcess {
  const imports = `
    const { blockingCalls } = await import(${source('blocking-calls')})
    const { endProcess, endProcessWhenIdle } = await import(${source('end-process')})`
  const args = ['--import', 'tsx', '--input-type=module', '-e', `${imports}\n${script}`]
  return execFile(process.execPath, args)
}

/** @returns exit code and signal of a process that does this */
async function ended(script: string): Promise<unknown[]> {
  return once(running(script), 'exit')
}

/** A call that holds a thread until somebody writes to the pipe. */
async function heldThread(t: TestContext): Promise<{ pipe: string; held: string }> {
  const folder = await mkdtemp(join(tmpdir(), 'held-thread-'))
  t.after(() => rm(folder, { recursive: true }))
  const pipe = join(folder, 'pipe')
  execFileSync('mkfifo', [pipe])
  const held = `
    const { open } = await import('node:fs/promises')
    void blockingCalls.run('request', 'cluster', () => open(${JSON.stringify(pipe)}))
    await new Promise(setImmediate)`
  return { pipe, held }
}

describe('endProcess', () => {
  it('ends with the exit code', async () => {
    assert.deepEqual(await ended('endProcess(3)'), [3, null])
  })

  it('ends, too, while a call holds a thread that does not come back', async (t) => {
    const { held } = await heldThread(t)
    assert.deepEqual(await ended(`${held}\nendProcess(3)`), [null, 'SIGKILL'])
  })
})

describe('endProcessWhenIdle', () => {
  it('ends with the exit code once a call that holds a thread has come back', async (t) => {
    const { pipe, held } = await heldThread(t)
    const child = running(`${held}\nvoid endProcessWhenIdle(3, 600_000)\nconsole.log('waits')`)
    const exit = once(child, 'exit')
    assert.ok(child.stdout)
    await once(child.stdout, 'data')
    // To open it to write alone would wait for the reader.
    const writer = await open(pipe, 'r+')
    assert.deepEqual(await exit, [3, null])
    await writer.close()
  })

  it('waits no longer than it is told', async (t) => {
    const { held } = await heldThread(t)
    assert.deepEqual(await ended(`${held}\nawait endProcessWhenIdle(3, 1)`), [null, 'SIGKILL'])
  })
})
