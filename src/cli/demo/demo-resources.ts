export const demoCorrelationId = 'order-4711'

const topicUrl = (run: string): string =>
  `http://example.org/topic/questionnaire-response-completed-${run}`

interface DemoResource {
  readonly resourceType: string
  readonly id: string
  readonly [element: string]: unknown
}

export function demoTopic(run: string): DemoResource {
  return {
    resourceType: 'AidboxSubscriptionTopic',
    id: `questionnaire-response-completed-${run}`,
    url: topicUrl(run),
    status: 'active',
    trigger: [
      {
        resource: 'QuestionnaireResponse',
        supportedInteraction: ['create', 'update'],
        fhirPathCriteria: "status = 'completed' or status = 'amended'",
      },
    ],
  }
}

export function demoDestination(
  kind: 'kafka-at-least-once' | 'kafka-best-effort',
  kafkaTopic: string,
  bootstrapServers: string,
  run: string,
): DemoResource {
  const profile =
    kind === 'kafka-at-least-once'
      ? 'aidboxtopicdestination-kafkaAtLeastOnceProfile'
      : 'aidboxtopicdestination-kafkaBestEffortProfile'
  return {
    resourceType: 'AidboxTopicDestination',
    id: `${kind}-${run}`,
    meta: { profile: [`http://health-samurai.io/fhir/core/StructureDefinition/${profile}`] },
    kind,
    topic: topicUrl(run),
    content: 'full-resource',
    includeEntryAction: true,
    includeVersionId: true,
    parameter: [
      { name: 'kafkaTopic', valueString: kafkaTopic },
      { name: 'bootstrapServers', valueString: bootstrapServers },
      { name: 'keyByResourceId', valueBoolean: true },
    ],
  }
}

export function demoResponse(id: string, status: 'in-progress' | 'completed'): DemoResource {
  return {
    resourceType: 'QuestionnaireResponse',
    id,
    status,
    item: [{ linkId: '1', text: 'Do you smoke?', answer: [{ valueBoolean: false }] }],
  }
}
