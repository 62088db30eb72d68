import { startKafkaBroker } from '../../test/helpers/kafka-broker.ts'
import type { Figure } from '../figures.ts'
import { benchFootprint } from './footprint.ts'
import { benchNaming } from './naming.ts'
import { benchThroughput } from './throughput.ts'

/** What the module's producers cost beside node-rdkafka alone, how much many destinations need, and how soon a cause is named. */
export async function benchKafka(quick: boolean): Promise<Figure[]> {
  const broker = await startKafkaBroker()
  try {
    const { bootstrapServers } = broker
    const size = quick
      ? { rounds: 1, warmUp: 0, records: 5000 }
      : { rounds: 7, warmUp: 1, records: 100_000 }
    return [
      ...(await benchFootprint(bootstrapServers, { rounds: quick ? 1 : 3 })),
      ...(await benchThroughput(bootstrapServers, size)),
      ...(await benchNaming(broker, { rounds: quick ? 1 : 3 })),
    ]
  } finally {
    await broker.stop()
  }
}
