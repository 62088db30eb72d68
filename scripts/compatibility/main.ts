/** Type check and tests on other versions of Node, @medplum/core, PostgreSQL and Kafka: npm run compatibility -- [options]
 *
 *    --node 20|22|24  --postgres 15|18  --kafka oldest|newest|<version>   one combination instead of all
 *    --tests <file or folder>   instead of all tests, may be repeated
 *    --directory <folder>       keeps Nodes, copies and logs there for the next run; default: a temporary folder
 *
 *  Needs what the tests need, and compiles node-rdkafka once for each Node, in a copy of the checkout. Prints a table; exit code 1
 *  when a combination fails, after what its tests printed. */
import { mkdir } from 'node:fs/promises'
import { join, resolve } from 'node:path'
import { cacheDirectory } from '../../test/helpers/maven.ts'
import { markdownTable } from '../../src/markdown-table.ts'
import { runCommand } from '../run-command.ts'
import { withTemporaryDirectory } from '../temporary-directory.ts'
import { medplumVersions, postgresPackages, readPlan, type Combination } from './combinations.ts'
import { preparePostgres, prepareWorkplace } from './workplace.ts'

interface Result {
  readonly combination: Combination
  readonly nodeVersion: string
  readonly passed: number
  readonly failed: number
  readonly minutes: string
  readonly isGood: boolean
}

async function main(args: readonly string[]): Promise<number> {
  const { combinations, tests, directory } = readPlan(args)
  const runAll = async (workDirectory: string) => {
    const results: Result[] = []
    for (const combination of combinations) {
      results.push(await runCombination(combination, tests, workDirectory))
    }
    console.log(table(results))
    return results.every(({ isGood }) => isGood) ? 0 : 1
  }
  if (directory === undefined) return withTemporaryDirectory('compatibility', runAll)
  await mkdir(directory, { recursive: true })
  return runAll(resolve(directory))
}

async function runCombination(
  combination: Combination,
  tests: readonly string[],
  directory: string,
): Promise<Result> {
  const { node, postgres, kafka } = combination
  const name = `Node ${node}, PostgreSQL ${postgres}, Kafka ${kafka}`
  console.log(`${name}: installing`)
  const workplace = await prepareWorkplace(node, directory)
  const env: NodeJS.ProcessEnv = {
    ...workplace.env,
    EMBEDDED_POSTGRES_FROM: await preparePostgres(postgres, directory),
    KAFKA_VERSION: kafka,
    KAFKA_CACHE: process.env['KAFKA_CACHE'] ?? cacheDirectory('kafka'),
  }
  console.log(`${name}: testing`)
  const startedAt = Date.now()
  const logFile = join(directory, `node-${node}-postgres-${postgres}-kafka-${kafka}.log`)
  const script = 'npm run types && npm test -- "$@"'
  const { code, output } = await runCommand(['sh', '-c', script, 'sh', ...tests], {
    cwd: workplace.directory,
    env,
    logFile,
  })
  const [passed, failed] = [count(output, 'pass'), count(output, 'fail')]
  const isGood = code === 0 && passed > 0
  if (!isGood) console.error(failures(output))
  console.log(`${name}: ${passed} passed, ${failed} failed`)
  const minutes = ((Date.now() - startedAt) / 60_000).toFixed(1)
  return { combination, nodeVersion: workplace.nodeVersion, passed, failed, minutes, isGood }
}

/** The failed tests with their errors, in either format of node's test runner; else the end of what was printed. */
function failures(output: string): string {
  const inTap = [...output.matchAll(/^( *)not ok [^]*?^\1 {2}\.\.\.$/gm)].map(([text]) => text)
  if (inTap.length > 0) return inTap.join('\n')
  return /^✖ failing tests:[^]*/m.exec(output)?.[0] ?? output.slice(-5000)
}

/** From the closing lines of node's test runner, in either of its formats. */
function count(output: string, what: 'pass' | 'fail'): number {
  const matches = [...output.matchAll(new RegExp(String.raw`^(?:#|ℹ) ${what} (\d+)$`, 'gm'))]
  return Number(matches.at(-1)?.[1] ?? 0)
}

function table(results: readonly Result[]): string {
  return markdownTable(
    ['Node', '@medplum/core', 'PostgreSQL', 'Kafka', 'passed', 'failed', 'minutes', 'result'],
    results.map(({ combination, nodeVersion, passed, failed, minutes, isGood }) => [
      nodeVersion,
      medplumVersions[combination.node] ?? '',
      postgresPackages[combination.postgres]?.replace(/-.*/, '') ?? '',
      combination.kafka,
      String(passed),
      String(failed),
      minutes,
      isGood ? 'good' : 'FAILED',
    ]),
  )
}

try {
  process.exitCode = await main(process.argv.slice(2))
} catch (error) {
  console.error(error instanceof Error ? error.message : error)
  process.exitCode = 1
}
