import type { CauseReporter } from './cause-reporter.ts'
import { KafkaFailure } from './kafka-error.ts'
import { nativeFailure } from './native-failure.ts'
import type { ProducerConfig } from './producer-config.ts'
import { RdkafkaClient, type OnDelivery } from './rdkafka-client.ts'

const connectTimeoutMs = 3000

export interface ConnectionParts {
  readonly config: ProducerConfig
  readonly causes: CauseReporter
  readonly onDelivery: OnDelivery
  /** Ends the connect. */
  readonly calledOff: AbortSignal
}

/** A client of a producer of pages.
 *  @throws {@link KafkaFailure} `fatal`, saying why the cluster cannot be reached */
export async function connectClient(parts: ConnectionParts): Promise<RdkafkaClient> {
  const { config, causes, onDelivery, calledOff } = parts
  try {
    const client = new RdkafkaClient(config, causes, onDelivery)
    await client.connect(Math.min(config.maxBlockMs, connectTimeoutMs), calledOff)
    return client
  } catch (error) {
    const failure = nativeFailure(error)
    throw new KafkaFailure('fatal', causes.explained(failure), { kafkaCode: failure.code })
  }
}

export function closedFailure(): KafkaFailure {
  return new KafkaFailure('fatal', 'This producer cannot be used: it was closed.')
}
