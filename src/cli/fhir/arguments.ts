import type { ParametersParameter } from '@medplum/fhirtypes'
import { TopicDestinationError } from '../../errors.ts'
import { dateTimePattern } from '../../resources/date-time.ts'
import type { CommandCall } from '../command.ts'

/** The one argument of a command.
 *  @throws TopicDestinationError `KTD_REQUEST` */
export function onlyArgument({ positionals }: CommandCall, name: string): string {
  const [argument, ...others] = positionals
  if (argument !== undefined && others.length === 0) return argument
  throw new TopicDestinationError('KTD_REQUEST', `Give one ${name}.`)
}

/** An id, also of one who writes the whole reference. */
export function idOf(argument: string, resourceType: string): string {
  const prefix = `${resourceType}/`
  return encodeURIComponent(argument.startsWith(prefix) ? argument.slice(prefix.length) : argument)
}

/** A whole number.
 *  @throws TopicDestinationError `KTD_REQUEST` */
export function numberOption(
  { options }: CommandCall,
  name: string,
  range: { readonly minimum: number; readonly maximum?: number } = { minimum: 0 },
): number | undefined {
  const text = options.text(name)
  if (text === undefined) return undefined
  const { minimum, maximum } = range
  const number = /^\d{1,15}$/.test(text) ? Number(text) : Number.NaN
  if (number >= minimum && number <= (maximum ?? Number.MAX_SAFE_INTEGER)) return number
  const limits =
    maximum === undefined
      ? minimum > 0
        ? `, at least ${minimum}`
        : ''
      : ` from ${minimum} to ${maximum}`
  throw new TopicDestinationError('KTD_REQUEST', `Write --${name} as a whole number${limits}.`)
}

/** A date, or a time with its zone.
 *  @throws TopicDestinationError `KTD_REQUEST` */
export function timeOption({ options }: CommandCall, name: string): string | undefined {
  const text = options.text(name)
  if (text === undefined || (dateTimePattern.test(text) && !Number.isNaN(Date.parse(text))))
    return text
  throw new TopicDestinationError(
    'KTD_REQUEST',
    `--${name} ${text} is no time: write 2026-11-25, or 2026-11-25T14:00:00Z with its time zone.`,
  )
}

/** A text that is not empty.
 *  @throws TopicDestinationError `KTD_REQUEST` */
export function textOption({ options }: CommandCall, name: string): string | undefined {
  const text = options.text(name)
  if (text !== '') return text
  throw new TopicDestinationError('KTD_REQUEST', `--${name} is empty.`)
}

/** A parameter of an operation where its option was given. An empty text was: left out, it would make a selection wider than what was meant. */
export function given<Key extends keyof ParametersParameter>(
  name: string,
  key: Key,
  value: ParametersParameter[Key] | undefined,
): ParametersParameter[] {
  return value === undefined ? [] : [{ name, [key]: value }]
}
