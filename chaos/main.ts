/** Proof under faults: npm run chaos -- [options] */
import { appendFile } from 'node:fs/promises'
import { readCommandLine, type CommandLine } from './options.ts'
import { hasHeld, progressLine, reportText } from './report.ts'
import { runChaos } from './run.ts'

async function main({ options, json, save }: CommandLine): Promise<number> {
  const calledOff = new AbortController()
  for (const name of ['SIGINT', 'SIGTERM'] as const) {
    process.once(name, () => {
      calledOff.abort()
    })
  }
  const isTerminal = process.stderr.isTTY
  const report = await runChaos(options, {
    signal: calledOff.signal,
    onProgress: (progress) => {
      if (isTerminal) process.stderr.write(`\r\x1b[K${progressLine(progress)}`)
    },
  })
  if (isTerminal) process.stderr.write('\n')
  const line = JSON.stringify(report)
  if (save) await appendFile(new URL('../bench/results/chaos.jsonl', import.meta.url), `${line}\n`)
  console.log(json ? line : reportText(report))
  return hasHeld(report) ? 0 : 1
}

try {
  process.exit(await main(readCommandLine(process.argv.slice(2))))
} catch (error) {
  console.error(error instanceof Error ? error.message : error)
  process.exit(1)
}
