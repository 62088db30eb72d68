import type { EventCounts } from '../../outbox/event-counts.ts'
import { countOf } from './format.ts'

/** A field of the form of an operation, and the parameter that it becomes. */
export interface OperationField {
  readonly name: string
  readonly label: string
  readonly kind: 'number' | 'time' | 'text' | 'choice'
  /** Whether it says which events are meant, instead of all. */
  readonly isLimit?: boolean
  /** Of a choice: value and words; '' leaves the parameter out. */
  readonly choices?: readonly (readonly [value: string, words: string])[]
}

export interface OperationForm {
  /** Without `$`. */
  readonly code: string
  readonly title: string
  /** What it does, for whoever is about to do it. */
  readonly text: string
  /** Whether something is gone afterwards. */
  readonly isFinal: boolean
  /** What it is about at present. */
  readonly now?: (counts: EventCounts) => string
  /** Why it cannot be called at present. */
  readonly obstacle?: (counts: EventCounts) => string | undefined
  /** The words for no limit at all, which has to be said; absent: there are no limits. */
  readonly allLabel?: string
  readonly fields: readonly OperationField[]
}

const numbers: readonly OperationField[] = [
  { name: 'fromEvent', label: 'From event number', kind: 'number', isLimit: true },
  { name: 'toEvent', label: 'To event number', kind: 'number', isLimit: true },
]
const times: readonly OperationField[] = [
  { name: 'from', label: 'Changes from (your time)', kind: 'time', isLimit: true },
  { name: 'to', label: 'Changes up to (your time)', kind: 'time', isLimit: true },
]
const setAsideFields = (label: string): readonly OperationField[] => [
  {
    name: 'of',
    label,
    kind: 'choice',
    choices: [
      ['', 'dead letters and undecided events'],
      ['dead-letters', 'dead letters'],
      ['undecided', 'undecided events'],
    ],
  },
  ...numbers,
  ...times,
  { name: 'error', label: 'Part of the error', kind: 'text', isLimit: true },
]
/** Of an operation on dead letters and undecided events. */
const setAside = {
  now: ({ dead, undecided }: EventCounts) =>
    `${countOf(dead, 'dead letter')}, ${countOf(undecided, 'undecided event')} now.`,
  obstacle: ({ dead, undecided }: EventCounts) =>
    dead + undecided > 0
      ? undefined
      : 'Nothing to redrive or discard: no dead letters, no undecided events.',
  allLabel: 'All of them, whatever their number, time and error',
}
const maxPerSecond: OperationField = {
  name: 'maxPerSecond',
  label: 'Most events a second',
  kind: 'number',
}

/** The operations that the console has a form for, where the module has them. */
export const operationForms: readonly OperationForm[] = [
  {
    code: 'redrive',
    title: 'Redrive',
    text: 'Sends dead letters again, each with its own number, and decides undecided events by the topic of now. What one topic could not decide concerns every destination of it.',
    isFinal: false,
    ...setAside,
    fields: [
      ...setAsideFields('What to send again'),
      {
        name: 'decide',
        label: 'Undecided events',
        kind: 'choice',
        choices: [
          ['', 'decide them again'],
          ['false', 'send them although nobody could decide'],
        ],
      },
      maxPerSecond,
    ],
  },
  {
    code: 'discard',
    title: 'Discard',
    text: 'Forgets dead letters and undecided events; they are counted as discarded. This cannot be undone.',
    isFinal: true,
    ...setAside,
    fields: setAsideFields('What to discard'),
  },
  {
    code: 'replay',
    title: 'Replay',
    text: 'Sends delivered events again with their own numbers and a header that says so, beside live events. Consumers see them twice.',
    isFinal: false,
    now: ({ delivered }) => `${countOf(delivered, 'event')} delivered so far.`,
    allLabel: 'All delivered events that are kept',
    fields: [...numbers, ...times, maxPerSecond],
  },
  {
    code: 'backfill',
    title: 'Backfill',
    text: 'Sends the current state of every resource that the topic selects, as new events. There is no version before it, so criteria that compare with %previous select nothing.',
    isFinal: false,
    fields: [maxPerSecond],
  },
]

type FormValues = Readonly<Record<string, string>>

/** Whether the box is ticked that stands for no limits. */
export function isOfAll(values: FormValues): boolean {
  return values['all'] === 'true'
}

/** What is missing in a form that does not say which events are meant: the server would refuse it in words of its own. */
export function missingLimit(
  { fields, allLabel }: OperationForm,
  values: FormValues,
): string | undefined {
  const limits = fields.filter(({ isLimit }) => isLimit)
  const isGiven = limits.some(({ name }) => (values[name] ?? '').trim() !== '')
  if (allLabel === undefined || isOfAll(values) || isGiven) return undefined
  const [first, last] = [limits[0]?.label, limits.at(-1)?.label]
  return `Fill in at least one field from “${first}” to “${last}”, or tick “${allLabel}”.`
}

/** The FHIR Parameters of what stands in a form; what is empty is left out. */
export function formParameters({ fields, allLabel }: OperationForm, values: FormValues): object {
  const isAll = allLabel !== undefined && isOfAll(values)
  const given = fields.flatMap((field): object[] => {
    const text = (values[field.name] ?? '').trim()
    const isLeftOut = text === '' || (isAll && field.isLimit === true)
    return isLeftOut ? [] : [{ name: field.name, ...valueOf(field, text) }]
  })
  return {
    resourceType: 'Parameters',
    parameter: [...given, ...(isAll ? [{ name: 'all', valueBoolean: true }] : [])],
  }
}

function valueOf({ name, kind }: OperationField, text: string): object {
  switch (kind) {
    case 'number':
      return { valuePositiveInt: Number(text) }
    case 'time':
      // Without a fraction it is the whole second, as the pages show it.
      return { valueDateTime: new Date(text).toISOString().replace(/\.\d+Z$/, 'Z') }
    case 'choice':
      return name === 'decide' ? { valueBoolean: text === 'true' } : { valueCode: text }
    case 'text':
      return { valueString: text }
  }
}
