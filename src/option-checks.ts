import { TopicDestinationError } from './errors.ts'

/** Who writes no TypeScript may give anything.
 *  @throws TopicDestinationError `KTD_INVALID_OPTION` naming the option */
export function checkChoice(name: string, value: unknown, allowed: readonly unknown[]): void {
  if (allowed.includes(value)) return
  throw new TopicDestinationError(
    'KTD_INVALID_OPTION',
    `${name} must be ${allowed.join(' or ')}, not ${String(value)}.`,
  )
}

/** @throws TopicDestinationError `KTD_INVALID_OPTION` naming the first option that is not a whole number in its range */
export function checkRanges<Name extends string>(
  options: Readonly<Record<NoInfer<Name>, number>>,
  allowed: Readonly<Record<Name, readonly [minimum: number, maximum: number]>>,
): void {
  for (const name of Object.keys(allowed) as Name[]) {
    const value = options[name]
    const [minimum, maximum] = allowed[name]
    if (Number.isInteger(value) && value >= minimum && value <= maximum) continue
    throw new TopicDestinationError(
      'KTD_INVALID_OPTION',
      `${name} must be a whole number from ${minimum} to ${maximum}, not ${String(value)}.`,
    )
  }
}
