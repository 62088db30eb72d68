import type { JSX } from 'preact'
import { Time } from './time.tsx'

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

/** A string; '' where there is none. */
export function textOf(parameters: readonly Parameter[], name: string): string {
  const value = valueOf(parameters, name)
  return typeof value === 'string' ? value : ''
}

/** A number; 0 where there is none. */
export function numberOf(parameters: readonly Parameter[], name: string): number {
  return Number(valueOf(parameters, name) ?? 0)
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
              <Value parameter={parameter} />
            )}
          </dd>
        </div>
      ))}
    </dl>
  )
}

function Value({ parameter }: { readonly parameter: Parameter }): JSX.Element {
  const { valueDateTime: at = parameter['valueInstant'] } = parameter
  // A date without a time has no zone.
  if (typeof at === 'string' && at.includes('T')) return <Time at={at} />
  return <>{text(parameter.resource ?? plainValue(parameter))}</>
}

function text(value: unknown): string {
  if (typeof value === 'string') return value
  if (typeof value === 'object' && value !== null) {
    if ('reference' in value) return String(value.reference)
    if ('issue' in value) return outcomeText(value)
    return JSON.stringify(value)
  }
  return value === undefined ? '' : JSON.stringify(value)
}

interface Outcome {
  readonly issue?: readonly {
    readonly severity?: string
    readonly details?: { readonly text?: string }
  }[]
}

/** Of an OperationOutcome; '' of anything else. */
export function outcomeText(resource: unknown): string {
  const { issue = [] } = (resource ?? {}) as Outcome
  return issue.map(({ severity, details }) => `${severity}: ${details?.text ?? ''}`).join(' ')
}
