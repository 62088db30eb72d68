/** Proof under faults: npm run chaos -- [options] */
import { appendFile } from 'node:fs/promises'
import { readCommandLine, type CommandLine } from './options.ts'
import { hasHeld, progressLine, reportText, type Progress } from './report.ts'
import { runChaos } from './run.ts'

async function main({ options, json, save }: CommandLine): Promise<number> {
  const calledOff = new AbortController()
  for (const name of ['SIGINT', 'SIGTERM'] as const) {
    process.once(name, () => {
      calledOff.abort()
    })
  }
  const report = await runChaos(options, {
    signal: calledOff.signal,
    onProgress: process.stderr.isTTY ? showInPlace : linesNowAndThen(),
  })
  if (process.stderr.isTTY) process.stderr.write('\n')
  const line = JSON.stringify(report)
  if (save) await appendFile(new URL('../bench/results/chaos.jsonl', import.meta.url), `${line}\n`)
  console.log(json ? line : reportText(report))
  return hasHeld(report) ? 0 : 1
}

function showInPlace(progress: Progress): void {
  process.stderr.write(`\r\x1b[K${progressLine(progress)}`)
}

function linesNowAndThen(): (progress: Progress) => void {
  let nextAtSeconds = 60
  return (progress) => {
    if (progress.seconds < nextAtSeconds) return
    nextAtSeconds += 60
    console.error(progressLine(progress))
  }
}

try {
  process.exit(await main(readCommandLine(process.argv.slice(2))))
} catch (error) {
  console.error(error instanceof Error ? error.message : error)
  process.exit(1)
}
