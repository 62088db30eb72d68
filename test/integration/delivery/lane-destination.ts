import type { TopicDestination } from '../../../src/resources/topic-destination.ts'

/** What a lane is started for: the smallest destination. */
export const laneDestination: TopicDestination = {
  reference: 'AidboxTopicDestination/d',
  id: 'd',
  topicUrl: 'http://example.org/topic',
  kind: 'kafka-at-least-once',
  status: 'active',
  content: 'id-only',
  includeEntryAction: false,
  includeVersionId: false,
  includeVersionIdInFocusReference: false,
  enableLogging: false,
  logLevel: 'info',
  kafkaTopic: 't',
  keyByResourceId: true,
  parameters: { kafkaTopic: 't', bootstrapServers: 'a:1' },
}
