const unitsMs: Readonly<Record<string, number>> = {
  ms: 1,
  s: 1000,
  m: 60_000,
  h: 3_600_000,
  d: 86_400_000,
  w: 7 * 86_400_000,
}

/** Milliseconds of a duration such as `500ms`, `30s`, `5m`, `1h`, `7d`, `2w`; undefined for any other text. */
export function durationMs(text: string): number | undefined {
  const [, count, unit = ''] = /^(\d+)(ms|s|m|h|d|w)$/.exec(text) ?? []
  const unitMs = unitsMs[unit]
  return count === undefined || unitMs === undefined ? undefined : Number(count) * unitMs
}

/** `retention.ms` of a duration or `unlimited`; undefined for any other text. */
export function retentionMs(text: string): number | undefined {
  return text === 'unlimited' ? -1 : durationMs(text)
}

/** The shortest duration that says the same; -1 is `unlimited`. */
export function formatRetention(milliseconds: number): string {
  if (milliseconds < 0) return 'unlimited'
  if (milliseconds === 0) return '0ms'
  const [unit, unitMs] = Object.entries(unitsMs)
    .filter(([name]) => name !== 'w')
    .findLast(([, size]) => milliseconds % size === 0) ?? ['ms', 1]
  return `${milliseconds / unitMs}${unit}`
}
