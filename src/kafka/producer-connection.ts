import type { CauseReporter } from './cause-reporter.ts'
import { describeKafkaCode, KafkaFailure } from './kafka-error.ts'
import { nativeFailure } from './native-failure.ts'
import type { ProducerConfig } from './producer-config.ts'
import { RdkafkaClient, type OnDelivery } from './rdkafka-client.ts'

const connectTimeoutMs = 3000

export interface ConnectionParts {
  readonly config: ProducerConfig
  readonly causes: CauseReporter
  readonly onDelivery: OnDelivery
  /** Ends the wait for the turn of this connect. */
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
    const { code, text } = nativeFailure(error)
    const message = causes.last ?? describeKafkaCode(code, text)
    throw new KafkaFailure('fatal', message, { kafkaCode: code })
  }
}

export function closedFailure(): KafkaFailure {
  return new KafkaFailure('fatal', 'This producer cannot be used: it was closed.')
}
