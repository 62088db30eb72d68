import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { text } from 'node:stream/consumers'
import type { TestContext } from 'node:test'
import { fileURLToPath } from 'node:url'
import type { ChaosOptions } from '../../chaos/options.ts'
import type { ChaosReport } from '../../chaos/report.ts'
import type { RunParts } from '../../chaos/run.ts'

const script = fileURLToPath(new URL('../e2e/chaos-process.ts', import.meta.url))
const mostRuns = 3

/** Runs the driver in a process of its own. It has been seen to end with SIGSEGV, once in many runs, while the broker was killed: that is the
 *  end of its native client, and says nothing of the nodes, which are processes of their own. The run is repeated. */
export async function chaosReport(
  t: TestContext,
  options: ChaosOptions,
  parts: Omit<RunParts, 'signal' | 'onProgress'> = {},
): Promise<ChaosReport> {
  for (let run = 1; ; run++) {
    const args = ['--import', 'tsx', script, JSON.stringify([options, parts])]
    const driver = spawn(process.execPath, args, {
      stdio: ['ignore', 'pipe', 'inherit'],
      detached: true,
    })
    const endGroup = (): void => {
      try {
        if (driver.pid !== undefined) process.kill(-driver.pid, 'SIGKILL')
      } catch {
        // Nobody is left in it.
      }
    }
    t.after(endGroup)
    const [output, [code, signal]] = await Promise.all([
      text(driver.stdout),
      once(driver, 'exit') as Promise<[number | null, string | null]>,
    ])
    endGroup()
    if (signal === 'SIGSEGV' && run < mostRuns) {
      t.diagnostic('the driver has crashed; its run is repeated')
      continue
    }
    assert.deepEqual([code, signal], [0, null])
    return JSON.parse(output) as ChaosReport
  }
}
