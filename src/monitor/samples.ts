import type { DestinationOverview } from '../outbox/destination-overview.ts'
import { waitingOf } from '../outbox/event-counts.ts'
import { perSecond } from './rate.ts'
import type { Series } from './views.ts'

/** Time between two samples that are kept. */
export const sampleIntervalMs = 15_000
const keptMs = 3_600_000
const maxSamples = keptMs / sampleIntervalMs + 1
/** About 10 KB each. Further destinations have no charts. */
const maxDestinations = 1000
const minuteMs = 60_000
const minutes = keptMs / minuteMs

interface Sample {
  readonly atMs: number
  readonly delivered: number
  readonly failed: number
  readonly waiting: number
}

/** What was counted over the last hour, in the memory of this process: it begins anew with the process, and other nodes have their own. */
export class Samples {
  readonly #byReference = new Map<string, Sample[]>()
  #lastAtMs = Number.NEGATIVE_INFINITY

  /** Whether the last sample is old enough for another one. */
  isDue(nowMs: number): boolean {
    return nowMs - this.#lastAtMs >= sampleIntervalMs * 0.9
  }

  add(atMs: number, overviews: readonly DestinationOverview[]): void {
    this.#lastAtMs = atMs
    const present = new Set(overviews.map(({ reference }) => reference))
    for (const reference of this.#byReference.keys()) {
      if (!present.has(reference)) this.#byReference.delete(reference)
    }
    for (const overview of overviews) {
      const samples = this.#samplesOf(overview.reference)
      if (!samples) continue
      const sample = sampleOf(atMs, overview)
      const last = samples.at(-1)
      // Another destination has the name now.
      if (last && last.delivered > sample.delivered) samples.length = 0
      samples.push(sample)
      if (samples.length > maxSamples) samples.shift()
    }
  }

  #samplesOf(reference: string): Sample[] | undefined {
    const known = this.#byReference.get(reference)
    if (known || this.#byReference.size >= maxDestinations) return known
    const samples: Sample[] = []
    this.#byReference.set(reference, samples)
    return samples
  }

  series(reference: string): Series {
    const samples = this.#byReference.get(reference) ?? []
    const rates = (count: (sample: Sample) => number): (number | null)[] =>
      samples.map((sample, index) => {
        const before = samples[index - 1]
        return before ? perSecond(count(sample) - count(before), sample.atMs - before.atMs) : null
      })
    return {
      at: samples.map(({ atMs }) => new Date(atMs).toISOString()),
      deliveredPerSecond: rates(({ delivered }) => delivered),
      failedPerSecond: rates(({ failed }) => failed),
      waiting: samples.map(({ waiting }) => waiting),
    }
  }

  /** Events delivered a second in each of the last 60 minutes, the newest last. */
  lastHour(reference: string, nowMs: number): (number | null)[] {
    const counts = Array.from({ length: minutes }, () => 0)
    const times = Array.from({ length: minutes }, () => 0)
    const samples = this.#byReference.get(reference) ?? []
    for (const [index, sample] of samples.entries()) {
      const before = samples[index - 1]
      const minute = minutes - 1 - Math.floor((nowMs - sample.atMs) / minuteMs)
      if (!before || minute < 0 || minute >= minutes) continue
      counts[minute] = (counts[minute] ?? 0) + sample.delivered - before.delivered
      times[minute] = (times[minute] ?? 0) + sample.atMs - before.atMs
    }
    return counts.map((count, minute) => {
      const timeMs = times[minute] ?? 0
      return timeMs === 0 ? null : perSecond(count, timeMs)
    })
  }

  /** Between the last two samples. */
  deliveredPerSecond(reference: string): number | undefined {
    const [before, last] = this.#byReference.get(reference)?.slice(-2) ?? []
    return before && last
      ? perSecond(last.delivered - before.delivered, last.atMs - before.atMs)
      : undefined
  }
}

function sampleOf(atMs: number, counted: DestinationOverview): Sample {
  const { delivered, failedAttempts, lost } = counted
  return { atMs, delivered, failed: failedAttempts + lost, waiting: waitingOf(counted) }
}
