import type { JSX } from 'preact'
import { outcomeText, type Parameter } from './parameters-view.tsx'

/** What comes with the answer of an operation: limits that were met, warnings about the topic. */
export function Remarks({
  parameters,
}: {
  readonly parameters: readonly Parameter[]
}): JSX.Element | null {
  const { resource } = parameters.find(({ name }) => name === 'outcome') ?? {}
  const text = outcomeText(resource)
  return text === '' ? null : <p class="hint">{text}</p>
}
