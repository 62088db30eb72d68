import { cpus } from 'node:os'
import { markdownTable } from '../src/markdown-table.ts'

/** One line of `npm run bench -- --json`. */
export interface Figure {
  readonly suite: string
  readonly name: string
  readonly value: number
  readonly unit: string
  /** What the ratio is taken against, measured in the same run. */
  readonly baseline?: string
  /** Median over the rounds of value / baseline of the same round. */
  readonly ratio?: number
  /** Smallest and largest ratio (or value, without a baseline) of the rounds. */
  readonly spread: readonly [number, number]
  /** Absent where none is set. Compared with the ratio if there is one, else with the value. */
  readonly target?: number
  readonly met?: boolean
}

export function median(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b)
  const middle = sorted.length >> 1
  const [low, high] = [sorted[middle - 1], sorted[middle]]
  if (high === undefined) throw new Error('median of nothing')
  return sorted.length % 2 === 1 || low === undefined ? high : (low + high) / 2
}

export function percentile(values: readonly number[], share: number): number {
  const sorted = [...values].sort((a, b) => a - b)
  return sorted[Math.min(sorted.length - 1, Math.ceil(sorted.length * share) - 1)] ?? Number.NaN
}

const rounded = (value: number): number => Number(value.toPrecision(4))

export interface RatioInput {
  readonly suite: string
  readonly name: string
  readonly unit: string
  readonly baseline: string
  /** One value per round. */
  readonly values: readonly number[]
  /** The baseline's value in the same round. */
  readonly baselines: readonly number[]
  /** Least ratio that meets the goal. */
  readonly target?: number
}

/** A figure as ratio to a baseline of the same rounds. */
export function ratioFigure(input: RatioInput): Figure {
  const { suite, name, unit, baseline, values, baselines, target } = input
  const ratios = values.map((value, round) => value / (baselines[round] ?? Number.NaN))
  const ratio = rounded(median(ratios))
  return {
    suite,
    name,
    value: rounded(median(values)),
    unit,
    baseline,
    ratio,
    spread: [rounded(Math.min(...ratios)), rounded(Math.max(...ratios))],
    ...(target === undefined ? {} : { target, met: ratio >= target }),
  }
}

/** Makes figures of variants that took turns: each as ratio to another. */
export function ratiosOf<Variant extends string>(
  suite: string,
  unit: string,
  rates: Readonly<Record<Variant, readonly number[]>>,
): (name: string, value: Variant, baseline: Variant, target?: number) => Figure {
  return (name, value, baseline, target) =>
    ratioFigure({
      suite,
      name,
      unit,
      baseline,
      values: rates[value],
      baselines: rates[baseline],
      ...(target === undefined ? {} : { target }),
    })
}

/** A figure in its own unit, where less is better. */
export function absoluteFigure(input: Omit<RatioInput, 'baseline' | 'baselines'>): Figure {
  const { suite, name, unit, values, target } = input
  const value = rounded(median(values))
  return {
    suite,
    name,
    value,
    unit,
    spread: [rounded(Math.min(...values)), rounded(Math.max(...values))],
    ...(target === undefined ? {} : { target, met: value <= target }),
  }
}

/** What the figures were measured on, without naming the machine. */
export function machine(): string {
  const model = cpus()[0]?.model.trim() ?? 'unknown processor'
  return `${cpus().length} × ${model}, Node ${process.versions.node}`
}

export function table(figures: readonly Figure[]): string {
  const rows = figures.map((figure) => [
    figure.suite,
    figure.name,
    `${figure.value} ${figure.unit}`,
    figure.ratio === undefined ? '' : `${figure.ratio} of ${figure.baseline ?? ''}`,
    `${figure.spread[0]} to ${figure.spread[1]}`,
    figure.target === undefined ? '' : String(figure.target),
    figure.met === undefined ? '' : figure.met ? 'met' : 'missed',
  ])
  const header = ['suite', 'figure', 'median', 'ratio', 'spread', 'target', '']
  return markdownTable(header, rows)
}
