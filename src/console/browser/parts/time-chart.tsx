import type { JSX } from 'preact'
import { useEffect, useRef } from 'preact/hooks'
import uPlot from 'uplot'
import { rate, time } from '../format.ts'
import { useShownTheme } from '../theme.ts'

export interface ChartLine {
  readonly label: string
  readonly values: readonly (number | null)[]
  /** Name of a colour of the style sheet. */
  readonly color: '--line-1' | '--line-2'
}

export interface TimeChartProps {
  readonly title: string
  /** ISO times. */
  readonly at: readonly string[]
  readonly lines: readonly ChartLine[]
}

const heightPx = 150
/** Shortly after a start there is little to show. */
const leastSpanSeconds = 600

/** Lines over time, with the same as a sentence and as a table. */
export function TimeChart({ title, at, lines }: TimeChartProps): JSX.Element {
  const isEmpty = !lines.some(({ values }) => values.some((value) => value !== null))
  return (
    <figure class="chart">
      <figcaption>
        <strong>{title}</strong>{' '}
        <span class="hint">{isEmpty ? 'No samples yet' : sentence(lines)}</span>
      </figcaption>
      {!isEmpty && <Lines at={at} lines={lines} />}
      {!isEmpty && <Samples title={title} at={at} lines={lines} />}
    </figure>
  )
}

function Lines({ at, lines }: Pick<TimeChartProps, 'at' | 'lines'>): JSX.Element {
  const holder = useRef<HTMLDivElement>(null)
  const chart = useRef<uPlot | undefined>(undefined)
  const theme = useShownTheme()
  useEffect(() => {
    const element = holder.current
    if (!element) return undefined
    const made = new uPlot(
      options(lines, element.clientWidth),
      [[], ...lines.map(() => [])],
      element,
    )
    chart.current = made
    const observer = new ResizeObserver(() => {
      made.setSize({ width: element.clientWidth, height: heightPx })
    })
    observer.observe(element)
    return () => {
      observer.disconnect()
      made.destroy()
      chart.current = undefined
    }
  }, [theme])
  useEffect(() => {
    const times = at.map((text) => Date.parse(text) / 1000)
    chart.current?.setData([times, ...lines.map(({ values }) => [...values])])
  }, [theme, at.at(-1), at.length])
  return <div ref={holder} class="plot" aria-hidden="true" />
}

function Samples({ title, at, lines }: TimeChartProps): JSX.Element {
  return (
    <details>
      <summary>As a table</summary>
      <div class="scroll" tabIndex={0} role="region" aria-label={`${title}, as a table`}>
        <table>
          <thead>
            <tr>
              <th scope="col">Time</th>
              {lines.map(({ label }) => (
                <th key={label} scope="col" class="number">
                  {label}
                </th>
              ))}
            </tr>
          </thead>
          <tbody>
            {everyMinute(at).map((index) => (
              <tr key={at[index]}>
                <th scope="row">{time(at[index] ?? '')}</th>
                {lines.map(({ label, values }) => (
                  <td key={label} class="number">
                    {rate(values[index] ?? undefined)}
                  </td>
                ))}
              </tr>
            ))}
          </tbody>
        </table>
      </div>
    </details>
  )
}

function sentence(lines: readonly ChartLine[]): string {
  return lines
    .map(({ label, values }) => {
      const known = values.filter((value) => value !== null)
      return `${label}: now ${rate(known.at(-1))}, most ${rate(known.length === 0 ? undefined : Math.max(...known))}`
    })
    .join('; ')
}

/** Indexes of samples, the newest first: one of four is enough to read. */
function everyMinute(at: readonly string[]): readonly number[] {
  return at.map((_time, index) => at.length - 1 - index).filter((_index, place) => place % 4 === 0)
}

function options(lines: readonly ChartLine[], width: number): uPlot.Options {
  const style = getComputedStyle(document.documentElement)
  const colorOf = (name: string): string => style.getPropertyValue(name).trim()
  const axis = {
    stroke: colorOf('--muted'),
    grid: { stroke: colorOf('--border'), width: 1 },
    ticks: { stroke: colorOf('--border'), width: 1, size: 4 },
    font: '11px system-ui, sans-serif',
  }
  return {
    width,
    height: heightPx,
    legend: { show: false },
    cursor: { show: false },
    scales: {
      x: { range: (_plot, first, last) => [Math.min(first, last - leastSpanSeconds), last] },
      y: { range: (_plot, _least, most) => [0, Math.max(1, most * 1.1)] },
    },
    series: [
      {},
      ...lines.map(({ label, color }) => ({
        label,
        stroke: colorOf(color),
        width: 1.5,
        points: { show: false },
      })),
    ],
    axes: [
      { ...axis, values: '{HH}:{mm}', size: 28, space: 60, incrs: [60, 120, 300, 600, 900, 1800] },
      { ...axis, size: 52, values: (_plot, ticks) => ticks.map((tick) => rate(tick)) },
    ],
  }
}
