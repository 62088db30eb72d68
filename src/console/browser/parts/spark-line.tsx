import type { JSX } from 'preact'
import { duration, rate } from '../format.ts'

const width = 120
const height = 24
/** Shortly after a start there is little to show. */
const leastValues = 10

export interface SparkLineProps {
  /** One value a minute, the newest last; null: not known. */
  readonly values: readonly (number | null)[]
  /** What the values are of. */
  readonly label: string
}

/** A small chart with its text. */
export function SparkLine({ values, label }: SparkLineProps): JSX.Element {
  const known = values.filter((value) => value !== null)
  if (known.length === 0) return <span class="hint">No samples yet</span>
  const most = Math.max(...known)
  const first = values.findIndex((value) => value !== null)
  const span = duration((values.length - first) * 60_000)
  const shown = values.slice(Math.min(first, values.length - leastValues))
  const text = `${label}: now ${rate(known.at(-1))}, most ${rate(most)} a second in the last ${span}`
  return (
    <svg class="spark" viewBox={`0 0 ${width} ${height}`} role="img" aria-label={text}>
      <title>{text}</title>
      <line x1={0} y1={height - 0.5} x2={width} y2={height - 0.5} />
      <path d={linePath(shown, most)} />
    </svg>
  )
}

/** Gaps where nothing is known. */
function linePath(values: readonly (number | null)[], most: number): string {
  const step = width / Math.max(1, values.length - 1)
  let isGap = true
  return values
    .map((value, index) => {
      if (value === null) {
        isGap = true
        return ''
      }
      const x = (index * step).toFixed(1)
      const y = (height - 1 - (most === 0 ? 0 : value / most) * (height - 3)).toFixed(1)
      // A point between two gaps is a line of one pixel.
      const text = isGap ? `M${x} ${y}h0.1` : `L${x} ${y}`
      isGap = false
      return text
    })
    .join('')
}
