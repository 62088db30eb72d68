import type { ParametersParameter } from '@medplum/fhirtypes'
import { TopicDestinationError } from '../../errors.ts'
import type { CommandCall, CommandOption } from '../command.ts'
import { given, numberOption, textOption, timeOption } from './arguments.ts'

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

/** What the options select, as parameters of an operation.
 *  @throws TopicDestinationError `KTD_REQUEST` */
export function selectionParameters(call: CommandCall): ParametersParameter[] {
  const event = { minimum: 1 }
  return [
    ...(call.options.flag('all') ? [{ name: 'all', valueBoolean: true }] : []),
    ...given('of', 'valueCode', call.options.text('of')),
    ...given('fromEvent', 'valueInteger', numberOption(call, 'from-event', event)),
    ...given('toEvent', 'valueInteger', numberOption(call, 'to-event', event)),
    ...given('from', 'valueDateTime', timeOption(call, 'from')),
    ...given('to', 'valueDateTime', timeOption(call, 'to')),
    ...given('error', 'valueString', textOption(call, 'error')),
  ]
}

/** As {@link selectionParameters}, where everything has to be asked for.
 *  @param offered the options of the command
 *  @throws TopicDestinationError `KTD_REQUEST` */
export function requiredSelection(
  call: CommandCall,
  offered: Readonly<Record<string, CommandOption>>,
): ParametersParameter[] {
  const selection = selectionParameters(call)
  if (selection.some(({ name }) => name !== 'of')) return selection
  const names = Object.keys(offered).filter((name) => name !== 'all' && name !== 'of')
  throw new TopicDestinationError(
    'KTD_REQUEST',
    `Say which events are meant: ${names.map((name) => `--${name}`).join(', ')}, or --all.`,
  )
}
