import { createTopic } from '../test/helpers/kafka.ts'
import { benchDestination, benchResponse } from './bench-resources.ts'
import type { BenchServices } from './bench-services.ts'
import { absoluteFigure, percentile, type Figure } from './figures.ts'
import { followTopic } from './follow-topic.ts'
import { untilSettled } from './settled.ts'

interface Notification {
  readonly entry: readonly {
    readonly resource: { readonly meta?: { readonly lastUpdated: string } }
  }[]
}

/** Time from a write to its record at a read_committed consumer, at a fixed rate.
 *
 *  Measured from `meta.lastUpdated`, which the server sets before it writes: the figure holds the write's own commit as well. */
export async function benchLatency(
  services: BenchServices,
  options: { rounds: number; roundMs: number; rate: number },
): Promise<Figure[]> {
  const { load, bootstrapServers } = services
  const kafkaTopic = 'bench-latency'
  await createTopic(bootstrapServers, kafkaTopic)
  const path = '/AidboxTopicDestination/kafka-at-least-once'
  await load.send(
    'PUT',
    path,
    benchDestination('kafka-at-least-once', kafkaTopic, bootstrapServers),
  )
  const latenciesMs: number[] = []
  const follower = await followTopic(bootstrapServers, kafkaTopic, (value, arrivedMs) => {
    const { entry } = JSON.parse(value) as Notification
    const writtenAt = entry[1]?.resource.meta?.lastUpdated
    if (writtenAt !== undefined) latenciesMs.push(arrivedMs - Date.parse(writtenAt))
  })
  const p50: number[] = []
  const p99: number[] = []
  const rate = Math.round(options.rate)
  try {
    for (let round = 0; round <= options.rounds; round++) {
      latenciesMs.length = 0
      const sent = await load.atRate(
        rate,
        options.roundMs,
        () => JSON.stringify(benchResponse()),
        '/QuestionnaireResponse',
      )
      await follower.until(() => latenciesMs.length >= sent)
      if (round === 0) continue
      p50.push(percentile(latenciesMs, 0.5))
      p99.push(percentile(latenciesMs, 0.99))
    }
  } finally {
    await follower.stop()
  }
  await untilSettled(load, 'kafka-at-least-once')
  await load.send('DELETE', path)
  const figure = (name: string, values: number[], target?: number): Figure =>
    absoluteFigure({
      suite: 'latency',
      name: `${name}-at-${rate}-per-s`,
      unit: 'ms',
      values,
      ...(target === undefined ? {} : { target }),
    })
  return [figure('write-to-consumer-p50', p50), figure('write-to-consumer-p99', p99, 100)]
}
