/** A field of the form of an operation, and the parameter that it becomes. */
export interface OperationField {
  readonly name: string
  readonly label: string
  readonly kind: 'number' | 'time' | 'text' | 'choice'
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
  /** Whether a selection, or `all`, must be given. */
  readonly needsSelection: boolean
  readonly fields: readonly OperationField[]
}

const numbers: readonly OperationField[] = [
  { name: 'fromEvent', label: 'From event number', kind: 'number' },
  { name: 'toEvent', label: 'To event number', kind: 'number' },
]
const times: readonly OperationField[] = [
  { name: 'from', label: 'Changes from (your time)', kind: 'time' },
  { name: 'to', label: 'Changes up to (your time)', kind: 'time' },
]
const setAside: readonly OperationField[] = [
  {
    name: 'of',
    label: 'Of',
    kind: 'choice',
    choices: [
      ['', 'dead letters and undecided events'],
      ['dead-letters', 'dead letters'],
      ['undecided', 'undecided events'],
    ],
  },
  ...numbers,
  ...times,
  { name: 'error', label: 'Part of the error', kind: 'text' },
]
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
    needsSelection: true,
    fields: [
      ...setAside,
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
    text: 'Forgets dead letters and undecided events for good; they are counted as discarded.',
    isFinal: true,
    needsSelection: true,
    fields: setAside,
  },
  {
    code: 'replay',
    title: 'Replay',
    text: 'Sends delivered events again with their own numbers and a header that says so, beside live events. Consumers see them twice.',
    isFinal: false,
    needsSelection: true,
    fields: [...numbers, ...times, maxPerSecond],
  },
  {
    code: 'backfill',
    title: 'Backfill',
    text: 'Sends the current state of every resource that the topic selects, as new events.',
    isFinal: false,
    needsSelection: false,
    fields: [maxPerSecond],
  },
]

/** The FHIR Parameters of what stands in a form; what is empty is left out. */
export function formParameters(
  { fields, needsSelection }: OperationForm,
  values: Readonly<Record<string, string>>,
): object {
  const given = fields.flatMap((field): object[] => {
    const text = (values[field.name] ?? '').trim()
    return text === '' ? [] : [{ name: field.name, ...valueOf(field, text) }]
  })
  const isAll = needsSelection && values['all'] === 'true'
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
