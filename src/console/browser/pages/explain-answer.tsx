import type { JSX } from 'preact'
import { textOf, valueOf, type Parameter } from '../parts/parameters-view.tsx'
import { Remarks } from '../parts/remarks.tsx'

interface AnswerProps {
  readonly parameters: readonly Parameter[]
}

/** Why a topic fires on a change or does not, trigger by trigger. */
export function ExplainAnswer({ parameters }: AnswerProps): JSX.Element {
  const error = textOf(parameters, 'error')
  const isOfOrganization = valueOf(parameters, 'isOfOrganization')
  return (
    <>
      <p class="hint">Taken as {textOf(parameters, 'interaction')}.</p>
      {error !== '' && <p class="error">{error}</p>}
      {isOfOrganization !== undefined && (
        <p>
          The resource {isOfOrganization === true ? 'belongs' : 'does not belong'} to the
          organization of the topic.
        </p>
      )}
      <Remarks parameters={parameters} />
      <ol class="triggers">
        {parameters
          .filter(({ name }) => name === 'trigger')
          .map(({ part = [] }, index) => (
            <TriggerItem key={index} parameters={part} />
          ))}
      </ol>
    </>
  )
}

const deciders: Readonly<Record<string, string>> = {
  resource: 'the trigger is on another type of resource.',
  interaction: 'the trigger is on other interactions.',
  'no-criteria': 'the trigger has no criteria.',
  guard: 'a condition of the index does not hold, so the criteria was not evaluated:',
  exact: 'the index decided; the criteria did not have to be evaluated.',
  criteria: 'the criteria was evaluated.',
}

function TriggerItem({ parameters }: AnswerProps): JSX.Element {
  const fires = valueOf(parameters, 'fires')
  const decidedBy = textOf(parameters, 'decidedBy')
  const guard = textOf(parameters, 'guard')
  const error = textOf(parameters, 'error')
  const position = textOf(parameters, 'position')
  return (
    <li>
      <strong>
        {fires === undefined ? 'Undecided' : fires === true ? 'Fires' : 'Does not fire'}
      </strong>
      : {deciders[decidedBy] ?? decidedBy} {guard !== '' && <code>{guard}</code>}
      {error !== '' && (
        <p class="error">
          {error}
          {position === '' ? '' : ` (${position})`}
        </p>
      )}
      <Parts parameters={parameters} name="part" />
    </li>
  )
}

/** Expressions with what they came to, each above its operands. */
function Parts({ parameters, name }: AnswerProps & { readonly name: string }): JSX.Element | null {
  const parts = parameters.filter((each) => each.name === name)
  if (parts.length === 0) return null
  return (
    <ul class="parts">
      {parts.map(({ part = [] }, index) => (
        <li key={index}>
          <code>{textOf(part, 'expression')}</code> → {resultOf(part)}
          <Parts parameters={part} name="operand" />
        </li>
      ))}
    </ul>
  )
}

/** The values, or why there are none. */
function resultOf(part: readonly Parameter[]): string {
  const result = textOf(part, 'result')
  if (result !== 'value') return result
  return part
    .filter(({ name }) => name === 'value')
    .map(({ part: value = [] }) => textOf(value, 'text') || textOf(value, 'type'))
    .join(', ')
}
