import type { SqlTx } from '../host/types.ts'
import type { PageProducer } from '../kafka/producer.ts'
import type { Logger } from '../observability/logger.ts'
import type { Telemetry } from '../observability/telemetry.ts'
import type { OutboxSchema } from '../outbox/schema.ts'
import type { TopicDestination } from '../resources/topic-destination.ts'

/** What a lane is made of. */
export interface LaneParts {
  readonly db: SqlTx
  readonly schema: OutboxSchema
  readonly destinationId: number
  readonly epoch: number
  readonly destination: TopicDestination
  /** Which version of what the destination reads this node knows of. */
  readonly sourceVersion: number
  /** A new producer of this lane's transactional.id, not yet started. `onError` gets causes that are seen outside a call. */
  readonly createProducer: (
    destination: TopicDestination,
    onError: (cause: string) => void,
  ) => PageProducer
  readonly baseUrl: string
  readonly cloudEventsHeaders: boolean
  /** Whether Kafka transactions carry a checkpoint. */
  readonly checkpoint: boolean
  readonly undeliverable: 'set-aside' | 'wait'
  readonly maxPageEvents: number
  readonly maxPageBytes: number
  readonly pageLingerMs: number
  readonly pollIntervalMs: number
  /** After this time without events the lane disconnects from Kafka. */
  readonly idleProducerMs: number
  readonly stopTimeoutMs: number
  readonly logger: Logger
  /** @default nobody is told */
  readonly telemetry?: Telemetry
}
