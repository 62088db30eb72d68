import type { JSX } from 'preact'
import type { Health } from '../../../monitor/views.ts'

const words: Readonly<Record<Health, string>> = {
  error: 'Error',
  stuck: 'Stuck',
  losing: 'Losing',
  behind: 'Behind',
  attention: 'Attention',
  off: 'Paused',
  ok: 'OK',
}

export function healthWord(health: Health): string {
  return words[health]
}

/** The state in a word; the colour only repeats it. */
export function HealthMark({ health }: { readonly health: Health }): JSX.Element {
  return <span class={`mark mark-${health}`}>{words[health]}</span>
}
