import { TopicDestinationError } from '../errors.ts'
import type { GivenUp, HandledRecord } from './attempt.ts'
import type { RetryEvent } from './retry-events.ts'
import type { KafkaConnection } from './retry-settings.ts'

/** Options of {@link retryingConsumer}. */
export interface RetryOptions {
  /** Properties of librdkafka, as `kafkaConnection` takes them from a file: `bootstrap.servers`, `security.protocol`, `sasl.*`, `ssl.*`. */
  readonly connection: KafkaConnection
  /** `service/Component` of the file; needed where a topic has several. */
  readonly consumer?: string
  /** A name that this process keeps over restarts and shares with no other, such as that of a pod of a StatefulSet. Its partitions then wait for it,
   *  up to `sessionTimeoutMs`, also after a stop, and a restart takes them up at once. Without it they go to others: after a stop at once, after a
   *  crash when that time is over. */
  readonly instanceId?: string
  /** Silence after which the partitions go to others and an open transaction is aborted, in milliseconds. Brokers take 6000 to
   *  1800000 unless they are configured otherwise.
   *  @default 45000 */
  readonly sessionTimeoutMs?: number
  /** Most records of a partition that are read ahead. A retry topic with fewer partitions than its policy has delays is looked through so far
   *  for records that are due.
   *  @default 1000 */
  readonly maxQueuedRecords?: number
  /** Most bytes of a partition that are read ahead.
   *  @default 8388608 */
  readonly maxQueuedBytes?: number
  /** Longest time that `stop()` waits for handlers, in milliseconds.
   *  @default 10000 */
  readonly stopTimeoutMs?: number
  /** Takes what was given up by a policy with `then: external`, which needs it. Called again until it succeeds; the partition waits for it. */
  readonly onGivenUp?: (record: HandledRecord, about: GivenUp) => Promise<void> | void
  /** Is told every event, as the channel `fhir-kafka:retry` of `node:diagnostics_channel` is. */
  readonly onEvent?: (event: RetryEvent) => void
  /** Draws jitter: numbers in [0, 1).
   *  @default Math.random */
  readonly random?: () => number
}

const retryDefaults = {
  sessionTimeoutMs: 45_000,
  maxQueuedRecords: 1000,
  maxQueuedBytes: 8_388_608,
  stopTimeoutMs: 10_000,
} as const
type Limited = keyof typeof retryDefaults

const leastValues: Readonly<Record<Limited, number>> = {
  sessionTimeoutMs: 6000,
  maxQueuedRecords: 1,
  maxQueuedBytes: 1,
  stopTimeoutMs: 0,
}

/** The options with their defaults.
 *  @throws {@link TopicDestinationError} `KTD_INVALID_OPTION` */
export function retryOptions(given: RetryOptions): RetryOptions & Record<Limited, number> {
  const options = { ...retryDefaults, ...given }
  for (const [name, least] of Object.entries(leastValues) as [Limited, number][]) {
    if (Number.isSafeInteger(options[name]) && options[name] >= least) continue
    const message = `${name} is ${options[name]}; it must be a whole number of ${least} at least.`
    throw new TopicDestinationError('KTD_INVALID_OPTION', message)
  }
  return options
}
