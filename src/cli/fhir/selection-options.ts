import type { ParametersParameter } from '@medplum/fhirtypes'
import type { CommandCall, CommandOption } from '../command.ts'
import { given, numberOption } from './arguments.ts'

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

export const setAsideOptions: Readonly<
  Record<keyof typeof rangeOptions | 'of' | 'error', CommandOption>
> = {
  ...rangeOptions,
  of: {
    type: 'string',
    value: 'WHAT',
    choices: ['dead-letters', 'undecided'],
    doc: 'dead-letters or undecided. Default: both.',
  },
  error: { type: 'string', value: 'TEXT', doc: 'Part of the error, in letters of any case.' },
}

/** What the options select, as parameters of an operation. */
export function selectionParameters(call: CommandCall): ParametersParameter[] {
  const { options } = call
  return [
    ...(options.flag('all') ? [{ name: 'all', valueBoolean: true }] : []),
    ...given('of', 'valueCode', options.text('of')),
    ...given('fromEvent', 'valueInteger', numberOption(call, 'from-event')),
    ...given('toEvent', 'valueInteger', numberOption(call, 'to-event')),
    ...given('from', 'valueDateTime', options.text('from')),
    ...given('to', 'valueDateTime', options.text('to')),
    ...given('error', 'valueString', options.text('error')),
  ]
}
