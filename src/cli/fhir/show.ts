import { stringify } from 'yaml'
import type { CommandCall } from '../command.ts'
import { printableJson } from '../printable.ts'

/** Prints what a server has answered: as JSON, or as lines to read. */
export function show({ io, options }: CommandCall, value: unknown): void {
  io.out(options.flag('json') ? `${printableJson(value, 2)}\n` : textOf(value))
}

export function textOf(value: unknown): string {
  return stringify(value, { lineWidth: 0 })
}
