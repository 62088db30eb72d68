import { randomUUID } from 'node:crypto'
import type { KafkaError } from '../kafka/producer.ts'
import type { Logger } from '../observability/logger.ts'
import type { Page } from '../outbox/event-cursor.ts'
import type { TopicDestination } from '../resources/topic-destination.ts'

/** One attempt to deliver: a record of best effort, a Kafka transaction of at least once. */
export interface DeliveryAttempt {
  /** Topic of the (first) event. */
  readonly topicUrl: string
  /** Numbers of the first and last event; absent when the attempt failed before there was one. */
  readonly eventNumbers?: readonly [first: number, last: number]
  /** Why it failed; absent: delivered. Never holds a secret or resource content. */
  readonly error?: string
}

/** The delivery log of a destination with `enableLogging`: one AidboxSubscriptionStatus per attempt, at its `logLevel`.
 *
 *  It names no resource: who may read logs need not be allowed to know which patients there are.
 *  Source: Aidbox, Topic-based subscriptions, "Delivery logging". */
export function logDelivery(
  logger: Logger,
  { enableLogging, logLevel, reference }: TopicDestination,
  { topicUrl, eventNumbers, error }: DeliveryAttempt,
): void {
  if (!enableLogging) return
  const resource = {
    resourceType: 'AidboxSubscriptionStatus',
    id: randomUUID(),
    status: 'active',
    type: 'event-notification',
    topic: topicUrl,
    'topic-destination': { reference },
    ...(error === undefined ? {} : { error: [error] }),
  }
  const [firstEventNumber, lastEventNumber] = eventNumbers ?? []
  logger[logLevel](
    {
      ev: 'topic-destination/status',
      resource,
      ...(eventNumbers ? { firstEventNumber, lastEventNumber } : {}),
    },
    error === undefined ? 'delivered' : 'delivery failed',
  )
}

/** An attempt with the first `eventCount` events of a page. */
export function logPage(
  logger: Logger,
  destination: TopicDestination,
  { firstEventNumber, events }: Page,
  eventCount: number,
  failure?: KafkaError,
): void {
  logDelivery(logger, destination, {
    topicUrl: events[0]?.topicUrl ?? destination.topicUrl,
    eventNumbers: [firstEventNumber, firstEventNumber + eventCount - 1],
    ...(failure ? { error: failure.message } : {}),
  })
}
