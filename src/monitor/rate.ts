/** Events a second, rounded; 0 where no time has passed, or where the count was set back. */
export function perSecond(count: number, timeMs: number): number {
  return timeMs <= 0 ? 0 : Math.max(0, rounded((count * 1000) / timeMs))
}

/** Three digits are enough for a chart, and short in JSON. */
export function rounded(value: number): number {
  return Number(value.toPrecision(3))
}
