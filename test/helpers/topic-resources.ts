export interface TestResource {
  readonly resourceType: string
  readonly id: string
  readonly [element: string]: unknown
}

export function topicResource(id: string, ...trigger: readonly object[]): TestResource {
  return {
    resourceType: 'AidboxSubscriptionTopic',
    id,
    url: `http://example.org/topic/${id}`,
    status: 'active',
    trigger,
  }
}

export function destinationResource(
  id: string,
  kind: 'kafka-at-least-once' | 'kafka-best-effort',
  topicId: string,
  kafkaTopic: string,
  bootstrapServers: string,
  more: object = {},
): TestResource {
  const profile =
    kind === 'kafka-at-least-once' ? 'kafkaAtLeastOnceProfile' : 'kafkaBestEffortProfile'
  return {
    resourceType: 'AidboxTopicDestination',
    id,
    meta: {
      profile: [
        `http://health-samurai.io/fhir/core/StructureDefinition/aidboxtopicdestination-${profile}`,
      ],
    },
    kind,
    topic: `http://example.org/topic/${topicId}`,
    parameter: [
      { name: 'kafkaTopic', valueString: kafkaTopic },
      { name: 'bootstrapServers', valueString: bootstrapServers },
      { name: 'keyByResourceId', valueBoolean: true },
    ],
    ...more,
  }
}
