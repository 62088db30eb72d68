import { startKafkaBroker } from '../../test/helpers/kafka-broker.ts'
import type { Figure } from '../figures.ts'
import { benchFootprint } from './footprint.ts'
import { benchNaming } from './naming.ts'
import { benchThroughput } from './throughput.ts'

export const kafkaGroups = ['footprint', 'throughput', 'naming'] as const
export type KafkaGroup = (typeof kafkaGroups)[number]

/** What the module's producers cost beside node-rdkafka alone, how much many destinations need, and how soon a cause is named. */
export async function benchKafka(groups: readonly KafkaGroup[], quick: boolean): Promise<Figure[]> {
  const broker = await startKafkaBroker()
  const { bootstrapServers } = broker
  const size = quick
    ? { rounds: 1, warmUp: 0, records: 5000 }
    : { rounds: 7, warmUp: 1, records: 100_000 }
  const rounds = quick ? 1 : 3
  const measure: Record<KafkaGroup, () => Promise<Figure[]>> = {
    footprint: () => benchFootprint(bootstrapServers, { rounds }),
    throughput: () => benchThroughput(bootstrapServers, size),
    naming: () => benchNaming(broker, { rounds }),
  }
  try {
    const figures: Figure[] = []
    for (const group of groups) figures.push(...(await measure[group]()))
    return figures
  } finally {
    await broker.stop()
  }
}
