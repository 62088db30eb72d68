import { randomUUID } from 'node:crypto'

export const benchTopicUrl = 'http://example.org/topic/bench'

export const benchTopicPath = '/AidboxSubscriptionTopic/bench'

export const benchTopic: object = {
  resourceType: 'AidboxSubscriptionTopic',
  id: 'bench',
  url: benchTopicUrl,
  status: 'active',
  trigger: [{ resource: 'QuestionnaireResponse' }],
}

export function benchDestination(
  kind: 'kafka-at-least-once' | 'kafka-best-effort',
  kafkaTopic: string,
  bootstrapServers: string,
  status: 'active' | 'off' = 'active',
): object {
  const profile =
    kind === 'kafka-at-least-once' ? 'kafkaAtLeastOnceProfile' : 'kafkaBestEffortProfile'
  return {
    resourceType: 'AidboxTopicDestination',
    id: kind,
    meta: {
      profile: [
        `http://health-samurai.io/fhir/core/StructureDefinition/aidboxtopicdestination-${profile}`,
      ],
    },
    kind,
    status,
    topic: benchTopicUrl,
    parameter: [
      { name: 'kafkaTopic', valueString: kafkaTopic },
      { name: 'bootstrapServers', valueString: bootstrapServers },
      { name: 'keyByResourceId', valueBoolean: true },
    ],
  }
}

/** About 2 KB: a questionnaire of 12 answers. */
export function benchResponse(): object {
  return {
    resourceType: 'QuestionnaireResponse',
    status: 'completed',
    identifier: { system: 'http://example.org/bench', value: randomUUID() },
    authored: '2026-01-01T10:00:00Z',
    item: Array.from({ length: 12 }, (_, index) => ({
      linkId: String(index + 1),
      text: `Question ${index + 1}: how often were you bothered by this in the last two weeks?`,
      answer: [{ valueString: `Answer ${index + 1} of the patient` }],
    })),
  }
}
