import { createTopic } from '../test/helpers/kafka.ts'
import { benchDestination, benchResponse } from './bench-resources.ts'
import type { BenchServices } from './bench-services.ts'
import { ratioFigure, type Figure } from './figures.ts'
import { inTurns } from './in-turns.ts'
import { untilSettled } from './settled.ts'

const kinds = ['none', 'kafka-best-effort', 'kafka-at-least-once'] as const
type Variant = (typeof kinds)[number]

/** Writes a second over REST with no destination, a best-effort one and an at-least-once one.
 *
 *  The variants take turns in slices on the same server, each turn in another order; what a slice queued is delivered before the
 *  next begins, so no variant pays for another. */
export async function benchWrite(
  services: BenchServices,
  options: { rounds: number; sliceMs: number },
): Promise<{ figures: Figure[]; atLeastOnceTps: number }> {
  const { bootstrapServers } = services
  await createTopic(bootstrapServers, 'bench-write')
  // The first round warms up code, connections and caches.
  const tps = await inTurns(kinds, { rounds: options.rounds, warmUp: 1 }, (variant) =>
    slice(services, variant, options.sliceMs),
  )
  const figure = (name: string, variant: Variant, target: number): Figure =>
    ratioFigure({
      suite: 'write',
      name,
      unit: 'writes/s',
      baseline: 'no-destination',
      values: tps[variant],
      baselines: tps.none,
      target,
    })
  return {
    figures: [
      figure('at-least-once', 'kafka-at-least-once', 0.85),
      figure('best-effort', 'kafka-best-effort', 0.97),
    ],
    atLeastOnceTps: Math.max(...tps['kafka-at-least-once']),
  }
}

async function slice(
  { load, bootstrapServers }: BenchServices,
  variant: Variant,
  sliceMs: number,
): Promise<number> {
  const path = `/AidboxTopicDestination/${variant}`
  if (variant !== 'none') {
    await load.send('PUT', path, benchDestination(variant, 'bench-write', bootstrapServers))
  }
  const tps = await load.saturate(
    sliceMs,
    () => JSON.stringify(benchResponse()),
    '/QuestionnaireResponse',
  )
  if (variant !== 'none') {
    await untilSettled(load, variant)
    await load.send('DELETE', path)
  }
  return tps
}
