import type { DestinationRow } from '../outbox/destination-row.ts'
import type { JobSelection } from '../outbox/jobs.ts'
import type { UndecidedOfDestination } from '../outbox/undecided-selection.ts'
import { refusedParameter, type OperationInput } from '../topic-operations/operation-input.ts'

/** FHIR's integers have 31 bits; numbers of events may be larger. */
const maxEventNumber = Number.MAX_SAFE_INTEGER

/** Which events are meant, by number, time and error. Nothing of them and no `all` would be a mistake.
 *  @param names of the parameters that narrow it down
 *  @throws OperationOutcomeError 422 that names the parameter */
export function selectionOf(input: OperationInput, names: readonly string[]): JobSelection {
  const isNarrowed = names.some((name) => input.has(name))
  const isAll = input.boolean('all') === true
  if (!isNarrowed && !isAll) {
    const text = `Say what is meant by ${names.join(', ')}, or write all as valueBoolean true.`
    throw refusedParameter('all', 'required', text)
  }
  return narrowedBy(input, names)
}

/** As {@link selectionOf}, where nothing that narrows it down means everything. */
export function narrowedBy(input: OperationInput, names: readonly string[]): JobSelection {
  const [fromEvent, toEvent] = ['fromEvent', 'toEvent'].map((name) =>
    input.integer(name, 1, maxEventNumber),
  )
  const [from, to] = [input.time('from')?.first, input.time('to')?.last]
  checkOrder('fromEvent', 'toEvent', fromEvent, toEvent)
  checkOrder('from', 'to', from?.getTime(), to?.getTime())
  const error = names.includes('error') ? input.text('error') : undefined
  return {
    ...(fromEvent !== undefined && { fromEvent }),
    ...(toEvent !== undefined && { toEvent }),
    ...(from && { fromMs: from.getTime() }),
    ...(to && { toMs: to.getTime() }),
    ...(error !== undefined && { error }),
  }
}

/** The undecided events of a destination that are meant; undefined: none, as an undecided event has no number. */
export function undecidedOf(
  { reference }: DestinationRow,
  { fromEvent, toEvent, fromMs, toMs, error }: JobSelection,
): UndecidedOfDestination | undefined {
  if (fromEvent !== undefined || toEvent !== undefined) return undefined
  return {
    reference,
    ...(fromMs !== undefined && { from: new Date(fromMs) }),
    ...(toMs !== undefined && { to: new Date(toMs) }),
    ...(error !== undefined && { error }),
  }
}

function checkOrder(first: string, last: string, from?: number, to?: number): void {
  if (from === undefined || to === undefined || from <= to) return
  throw refusedParameter(first, 'value', `Give a ${first} that is not after ${last}.`)
}
