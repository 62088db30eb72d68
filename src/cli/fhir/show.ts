import type { CommandCall } from '../command.ts'
import { printableJson, printableYaml } from '../printable.ts'

/** Prints what a server has answered: as JSON, or as lines to read. */
export function show({ io, options }: CommandCall, value: unknown): void {
  io.out(options.flag('json') ? `${printableJson(value, 2)}\n` : printableYaml(value))
}
