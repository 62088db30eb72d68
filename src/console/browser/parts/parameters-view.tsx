import type { JSX } from 'preact'

export interface Parameter {
  readonly name?: string
  readonly part?: readonly Parameter[]
  readonly resource?: unknown
  readonly [key: string]: unknown
}

export function parametersOf(resource: unknown): readonly Parameter[] {
  const { parameter } = (resource ?? {}) as { parameter?: readonly Parameter[] }
  return parameter ?? []
}

export function valueOf(parameters: readonly Parameter[], name: string): unknown {
  const found = parameters.find((each) => each.name === name)
  return found && plainValue(found)
}

function plainValue(parameter: Parameter): unknown {
  const key = Object.keys(parameter).find((each) => each.startsWith('value'))
  return key === undefined ? undefined : parameter[key]
}

/** A FHIR Parameters, name by name. */
export function ParametersView({
  parameters,
}: {
  readonly parameters: readonly Parameter[]
}): JSX.Element {
  return (
    <dl class="parameters">
      {parameters.map((parameter, index) => (
        <div key={index}>
          <dt>{parameter.name}</dt>
          <dd>
            {parameter.part ? (
              <ParametersView parameters={parameter.part} />
            ) : (
              text(parameter.resource ?? plainValue(parameter))
            )}
          </dd>
        </div>
      ))}
    </dl>
  )
}

function text(value: unknown): string {
  if (typeof value === 'string') return value
  if (typeof value === 'object' && value !== null) {
    if ('reference' in value) return String(value.reference)
    if ('issue' in value) return outcome(value.issue as Issues)
    return JSON.stringify(value)
  }
  return value === undefined ? '' : JSON.stringify(value)
}

type Issues = readonly {
  readonly severity?: string
  readonly details?: { readonly text?: string }
}[]

function outcome(issues: Issues): string {
  return issues.map(({ severity, details }) => `${severity}: ${details?.text ?? ''}`).join(' ')
}
