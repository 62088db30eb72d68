import type { JSX } from 'preact'
import { dateTime } from '../format.ts'

/** A time by the reader's clock; as it was told in its tool tip. */
export function Time({ at }: { readonly at: string }): JSX.Element {
  return (
    <time class="time" dateTime={at} title={at}>
      {dateTime(at)}
    </time>
  )
}
