import { writeFile } from 'node:fs/promises'
import { benchCapture } from './capture.ts'
import { benchDrain } from './drain.ts'
import { machine, table, type Figure } from './figures.ts'
import { benchLatency } from './latency.ts'
import { startBenchServices } from './bench-services.ts'
import { benchWrite } from './write.ts'

const suites = ['write', 'latency', 'drain', 'capture'] as const
const args = process.argv.slice(2)
const quick = args.includes('--quick')
const json = args.includes('--json')
const asked = args.filter((arg) => !arg.startsWith('--'))
const unknown = asked.filter((arg) => !suites.some((suite) => suite === arg))
if (unknown.length > 0) {
  console.error(
    `There is no suite ${unknown.join(', ')}. Suites: ${suites.join(', ')}. Options: --quick, --json, --save.`,
  )
  process.exit(1)
}
const wants = (suite: string): boolean => asked.length === 0 || asked.includes(suite)

const connections = 8
const rounds = quick ? 1 : 7
const services = await startBenchServices(connections)
const figures: Figure[] = []
try {
  // Latency needs the measured maximum, so the write suite runs for it as well.
  const write =
    wants('write') || wants('latency')
      ? await benchWrite(services, { rounds, sliceMs: quick ? 1000 : 4000 })
      : undefined
  if (write) figures.push(...write.figures)
  if (wants('latency') && write) {
    const rate = write.atLeastOnceTps / 2
    figures.push(
      ...(await benchLatency(services, { rounds, roundMs: quick ? 2000 : 10_000, rate })),
    )
  }
  if (wants('drain')) {
    figures.push(...(await benchDrain(services, { rounds, events: quick ? 5000 : 50_000 })))
  }
  if (wants('capture')) {
    figures.push(...(await benchCapture(services, { rounds, sliceMs: quick ? 1000 : 4000 })))
  }
} finally {
  await services.stop()
}
if (json) for (const figure of figures) console.log(JSON.stringify(figure))
else
  console.log(`\n${machine()}; ${rounds} rounds, ${connections} connections\n\n${table(figures)}`)
if (args.includes('--save')) {
  await writeFile(
    new URL('results/latest.jsonl', import.meta.url),
    figures.map((figure) => `${JSON.stringify(figure)}\n`).join(''),
  )
}
process.exit(0)
