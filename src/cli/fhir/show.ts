import { isDeepStrictEqual } from 'node:util'
import type { CommandCall } from '../command.ts'
import { printableJson, printableYaml } from '../printable.ts'

/** Prints what a server has answered: as JSON, or as lines to read. */
export function show({ io, options }: CommandCall, value: unknown): void {
  if (options.flag('json')) io.out(`${printableJson(value, 2)}\n`)
  else if (isDeepStrictEqual(value, {})) io.out('Nothing.\n')
  else io.out(printableYaml(value))
}
