/** One chaos run: node --import tsx chaos-process.ts '<[options, parts] as JSON>'. Prints the report as JSON. */
import type { ChaosOptions } from '../../chaos/options.ts'
import { runChaos } from '../../chaos/run.ts'

type Run = [ChaosOptions, Parameters<typeof runChaos>[1]]
const [options, parts] = JSON.parse(process.argv[2] ?? '') as Run
process.stdout.write(JSON.stringify(await runChaos(options, parts)))
process.exit(0)
