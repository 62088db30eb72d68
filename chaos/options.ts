export interface ChaosOptions {
  readonly seed: number
  /** Shortest time with writes and faults. */
  readonly seconds: number
  /** Fewest notifications that are read. */
  readonly events: number
  /** Fewest faults. */
  readonly faults: number
  readonly nodes: number
  /** Requests a second of all writers together. */
  readonly ratePerSecond: number
  /** Writers at the same time. */
  readonly connections: number
  /** Most resources that a transaction bundle writes. */
  readonly bundleEntries: number
  /** Destinations that get everything, besides the first one: more events from the same writes. */
  readonly copies: number
  /** Mean time between two faults. */
  readonly faultIntervalMs: number
  readonly module: ModuleVariant
}

/** Options of the module that change how it keeps its promises. */
export interface ModuleVariant {
  readonly transactional: boolean
  readonly checkpoint: boolean
  /** Checkpoints stand on a Kafka topic of their own. */
  readonly checkpointTopic: boolean
  readonly leadership: 'session' | 'lease'
}

/** What the module does unless it is told otherwise. */
export const promisedVariant: ModuleVariant = {
  transactional: true,
  checkpoint: true,
  checkpointTopic: false,
  leadership: 'session',
}

interface NumberOption {
  readonly name: string
  readonly default: number
  readonly minimum: number
  readonly doc: string
}

/** Every option with a number; the help and the checks come from here. */
const numbers = {
  seed: { name: '--seed', default: 1, minimum: 0, doc: 'repeats a schedule of faults' },
  seconds: { name: '--seconds', default: 60, minimum: 1, doc: 'of writes and faults at least' },
  events: { name: '--events', default: 0, minimum: 0, doc: 'notifications read at least' },
  faults: { name: '--faults', default: 0, minimum: 0, doc: 'faults at least' },
  nodes: { name: '--nodes', default: 3, minimum: 1, doc: 'servers' },
  ratePerSecond: { name: '--rate', default: 200, minimum: 1, doc: 'requests a second' },
  connections: { name: '--connections', default: 8, minimum: 1, doc: 'writers' },
  bundleEntries: {
    name: '--bundle-entries',
    default: 6,
    minimum: 2,
    doc: 'most resources of a bundle',
  },
  copies: { name: '--copies', default: 0, minimum: 0, doc: 'more destinations of everything' },
  faultIntervalMs: { name: '--interval', default: 1500, minimum: 1, doc: 'ms between two faults' },
} as const satisfies Readonly<Record<keyof Omit<ChaosOptions, 'module'>, NumberOption>>

export interface CommandLine {
  readonly options: ChaosOptions
  /** One JSON line instead of a table. */
  readonly json: boolean
  /** Append that line to bench/results/chaos.jsonl. */
  readonly save: boolean
}

export const help: string = [
  'npm run chaos -- [options]',
  ...Object.values(numbers).map(
    ({ name, default: value, doc }) => `  ${`${name} ${value}`.padEnd(20)} ${doc}`,
  ),
  '  --transactional on   off: no Kafka transactions; events may come twice, and are counted',
  '  --checkpoint on      off: the same',
  '  --checkpoint-topic off  on: checkpoints stand on a Kafka topic of their own',
  '  --leadership session lease: nodes show each other by rows that they are there',
  '  --json               one line of JSON',
  '  --save               append it to bench/results/chaos.jsonl',
].join('\n')

/** @throws Error naming the option at fault */
export function readCommandLine(args: readonly string[]): CommandLine {
  const given = new Map<string, string>()
  const flags = new Set<string>()
  for (let index = 0; index < args.length; index++) {
    const name = args[index] ?? ''
    if (name === '--json' || name === '--save') flags.add(name)
    else given.set(name, args[++index] ?? '')
  }
  const read = ({ name, default: value, minimum }: NumberOption): number => {
    const text = given.get(name)
    given.delete(name)
    const number = text === undefined ? value : Number(text)
    if (Number.isInteger(number) && number >= minimum && text !== '') return number
    throw new Error(`${name} must be a whole number from ${minimum} on.\n${help}`)
  }
  const hasGoal = given.has('--events') || given.has('--faults')
  const seconds = read(hasGoal ? { ...numbers.seconds, default: 1 } : numbers.seconds)
  const choose = <Choice extends string>(name: string, choices: readonly Choice[]): Choice => {
    const text = given.get(name) ?? choices[0]
    given.delete(name)
    const chosen = choices.find((choice) => choice === text)
    if (chosen !== undefined) return chosen
    throw new Error(`${name} must be ${choices.join(' or ')}.\n${help}`)
  }
  const module: ModuleVariant = {
    transactional: choose('--transactional', ['on', 'off']) === 'on',
    checkpoint: choose('--checkpoint', ['on', 'off']) === 'on',
    checkpointTopic: choose('--checkpoint-topic', ['off', 'on']) === 'on',
    leadership: choose('--leadership', ['session', 'lease']),
  }
  const options: ChaosOptions = {
    seconds,
    seed: read(numbers.seed),
    events: read(numbers.events),
    faults: read(numbers.faults),
    nodes: read(numbers.nodes),
    ratePerSecond: read(numbers.ratePerSecond),
    connections: read(numbers.connections),
    bundleEntries: read(numbers.bundleEntries),
    copies: read(numbers.copies),
    faultIntervalMs: read(numbers.faultIntervalMs),
    module,
  }
  const [unknown] = given.keys()
  if (unknown !== undefined) throw new Error(`There is no option ${unknown}.\n${help}`)
  return { options, json: flags.has('--json'), save: flags.has('--save') }
}
