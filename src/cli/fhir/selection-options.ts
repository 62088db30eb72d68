import type { ParametersParameter } from '@medplum/fhirtypes'
import type { CommandCall, CommandOption } from '../command.ts'
import { numberOption } from './arguments.ts'

export const rangeOptions: Readonly<
  Record<'all' | 'from-event' | 'to-event' | 'from' | 'to', CommandOption>
> = {
  all: { type: 'boolean', doc: 'Everything. Required where nothing else is given.' },
  'from-event': { type: 'string', value: 'N', doc: 'Number of the first event.' },
  'to-event': { type: 'string', value: 'N', doc: 'Number of the last event.' },
  from: {
    type: 'string',
    value: 'TIME',
    doc: 'Time of the oldest change: 2026-11-25, or 2026-11-25T14:00:00Z.',
  },
  to: { type: 'string', value: 'TIME', doc: 'Time of the newest change, inclusive.' },
}

export const setAsideOptions: Readonly<Record<string, CommandOption>> = {
  ...rangeOptions,
  of: { type: 'string', value: 'WHAT', doc: 'dead-letters or undecided. Default: both.' },
  error: { type: 'string', value: 'TEXT', doc: 'Part of the error, in letters of any case.' },
}

/** What the options select, as parameters of an operation. */
export function selectionParameters(call: CommandCall): ParametersParameter[] {
  const { options } = call
  const event = (option: string, name: string): ParametersParameter[] => {
    const value = numberOption(call, option)
    return value === undefined ? [] : [{ name, valueInteger: value }]
  }
  const text = (
    name: string,
    key: 'valueDateTime' | 'valueCode' | 'valueString',
  ): ParametersParameter[] => {
    const value = options.text(name)
    return value === undefined ? [] : [{ name, [key]: value }]
  }
  return [
    ...(options.flag('all') ? [{ name: 'all', valueBoolean: true }] : []),
    ...text('of', 'valueCode'),
    ...event('from-event', 'fromEvent'),
    ...event('to-event', 'toEvent'),
    ...text('from', 'valueDateTime'),
    ...text('to', 'valueDateTime'),
    ...text('error', 'valueString'),
  ]
}
