import type { ParametersParameter } from '@medplum/fhirtypes'
import { TopicDestinationError } from '../../errors.ts'
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
  range?: { readonly minimum: number; readonly maximum: number },
): number | undefined {
  const text = options.text(name)
  if (text === undefined) return undefined
  const number = /^\d{1,15}$/.test(text) ? Number(text) : undefined
  const isInRange =
    number !== undefined && (!range || (number >= range.minimum && number <= range.maximum))
  if (isInRange) return number
  const limits = range ? ` from ${range.minimum} to ${range.maximum}` : ''
  throw new TopicDestinationError('KTD_REQUEST', `Write --${name} as a whole number${limits}.`)
}

/** A parameter of an operation where its option was given. An empty text was: left out, it would make a selection wider than what was meant. */
export function given<Key extends keyof ParametersParameter>(
  name: string,
  key: Key,
  value: ParametersParameter[Key] | undefined,
): ParametersParameter[] {
  return value === undefined ? [] : [{ name, [key]: value }]
}
