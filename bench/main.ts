import { readFile, writeFile } from 'node:fs/promises'
import { benchCapture } from './capture.ts'
import { benchConsole } from './console.ts'
import { benchDrain } from './drain.ts'
import { machine, table, type Figure } from './figures.ts'
import { benchKafka, kafkaGroups } from './kafka/suite.ts'
import { benchLatency } from './latency.ts'
import { startBenchServices } from './bench-services.ts'
import { benchObservability } from './observability/suite.ts'
import { benchOutbox, outboxGroups } from './outbox/suite.ts'
import { benchTriggers } from './triggers/suite.ts'
import { benchWrite } from './write.ts'

const defaultSuites = ['write', 'latency', 'drain', 'capture']
/** Run only when they are asked for, outbox and kafka whole or by group. */
const outboxSuites = ['outbox', ...outboxGroups.map((group) => `outbox/${group}`)]
const kafkaSuites = ['kafka', ...kafkaGroups.map((group) => `kafka/${group}`)]
const args = process.argv.slice(2)
const quick = args.includes('--quick')
const json = args.includes('--json')
const save = args.includes('--save')
const asked = args.filter((arg) => !arg.startsWith('--'))
const suites = [
  ...defaultSuites,
  ...outboxSuites,
  'triggers',
  ...kafkaSuites,
  'observability',
  'console',
]
const unknown = asked.filter((arg) => !suites.includes(arg))
if (unknown.length > 0) {
  console.error(
    `There is no suite ${unknown.join(', ')}. Suites: ${suites.join(', ')}. Options: --quick, --json, --save.`,
  )
  process.exit(1)
}

const connections = 8
const rounds = quick ? 1 : 7
/** Where a cost of a hundredth is looked for, which is less than two equal rounds differ. */
const fineRounds = quick ? 1 : 21

async function runDefaultSuites(wants: (suite: string) => boolean): Promise<Figure[]> {
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
  return figures
}

function print(figures: readonly Figure[], title: string): void {
  if (json) for (const figure of figures) console.log(JSON.stringify(figure))
  else console.log(`\n${title}\n\n${table(figures)}`)
}

/** @param isWhole every figure of the file was measured; else those of the same name are replaced. Suites and groups share no baseline. */
async function keep(figures: readonly Figure[], file: string, isWhole: boolean): Promise<void> {
  if (!save) return
  const path = new URL(`results/${file}`, import.meta.url)
  const kept = isWhole ? [] : await keptFigures(path)
  const isSame = (a: Figure) => (b: Figure) => a.suite === b.suite && a.name === b.name
  const replaced = kept.map((figure) => figures.find(isSame(figure)) ?? figure)
  const added = figures.filter((figure) => !kept.some(isSame(figure)))
  await writeFile(
    path,
    [...replaced, ...added].map((figure) => `${JSON.stringify(figure)}\n`).join(''),
  )
}

async function keptFigures(path: URL): Promise<Figure[]> {
  const lines = (await readFile(path, 'utf8').catch(() => '')).split('\n').filter(Boolean)
  return lines.map((line) => JSON.parse(line) as Figure)
}

if (asked.length === 0 || asked.some((suite) => defaultSuites.includes(suite))) {
  const figures = await runDefaultSuites((suite) => asked.length === 0 || asked.includes(suite))
  print(figures, `${machine()}; ${rounds} rounds, ${connections} connections`)
  await keep(figures, 'latest.jsonl', asked.length === 0)
}
if (asked.some((suite) => outboxSuites.includes(suite))) {
  const isWhole = asked.includes('outbox')
  const groups = outboxGroups.filter((group) => isWhole || asked.includes(`outbox/${group}`))
  const figures = await benchOutbox(groups, quick)
  print(figures, `${machine()}${quick ? '; --quick, of no meaning' : ''}`)
  await keep(figures, 'outbox.jsonl', isWhole)
}
if (asked.includes('triggers')) {
  const figures = await benchTriggers(quick)
  print(figures, `${machine()}${quick ? '; --quick, of no meaning' : ''}`)
  await keep(figures, 'triggers.jsonl', true)
}
if (asked.some((suite) => kafkaSuites.includes(suite))) {
  const isWhole = asked.includes('kafka')
  const groups = kafkaGroups.filter((group) => isWhole || asked.includes(`kafka/${group}`))
  const figures = await benchKafka(groups, quick)
  print(figures, `${machine()}${quick ? '; --quick, of no meaning' : ''}`)
  await keep(figures, 'kafka.jsonl', isWhole)
}
if (asked.includes('observability')) {
  const figures = await benchObservability({ rounds: fineRounds, events: quick ? 5000 : 50_000 })
  print(figures, `${machine()}${quick ? '; --quick, of no meaning' : ''}`)
  await keep(figures, 'observability.jsonl', true)
}
if (asked.includes('console')) {
  const figures = await benchConsole({ rounds: fineRounds, events: quick ? 5000 : 50_000 })
  print(figures, `${machine()}${quick ? '; --quick, of no meaning' : ''}`)
  await keep(figures, 'console.jsonl', true)
}
process.exit(0)
