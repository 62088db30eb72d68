import { causeNamed, type KafkaCauseName } from '../kafka-causes.ts'
import { kafkaCodes } from '../kafka-error.ts'
import type { Findings, FindingSeverity } from './findings.ts'
import type { TopicLimits } from './topic-limits.ts'

/** What a destination needs of a topic that is there. */
export interface TopicNeeds {
  readonly kafkaTopic: string
  /** Fewest replicas in sync of a partition. */
  readonly inSync: number
  readonly maxRequestSizeBytes: number
}

/** Finds what keeps a destination from a topic that is there.
 *  @param limits undefined when they are not known */
export function judgeLimits(
  limits: TopicLimits | undefined,
  { kafkaTopic, inSync, maxRequestSizeBytes }: TopicNeeds,
  findings: Findings,
): void {
  if (!limits) {
    findings.remark(
      'Not checked: the right to write to the topic, max.message.bytes and min.insync.replicas. That needs the package @platformatic/kafka and a login with PLAIN, SCRAM or TLS.',
    )
    return
  }
  const { mayWrite, maxMessageBytes, minInSyncReplicas = 0 } = limits
  if (minInSyncReplicas > inSync) {
    findings.add('error', causeNamed('too-few-replicas', { kafkaTopic }))
  }
  if (mayWrite === false) {
    findings.add('error', causeNamed('topic-forbidden', { kafkaTopic }))
  }
  if (maxMessageBytes === undefined) {
    findings.remark(
      'Not checked: max.message.bytes of the topic. The Kafka principal may not read it (DescribeConfigs on the topic).',
    )
  } else if (maxMessageBytes < maxRequestSizeBytes) {
    const detail = `${maxRequestSizeBytes} and ${maxMessageBytes} bytes`
    findings.add('warning', causeNamed('topic-limit-smaller', { kafkaTopic, detail }))
  }
}

/** Finds why a topic is not shown.
 *  @param limits undefined when they are not known */
export function judgeAbsence(
  limits: TopicLimits | undefined,
  kafkaTopic: string,
  findings: Findings,
): void {
  const add = (severity: FindingSeverity, name: KafkaCauseName): void => {
    findings.add(severity, causeNamed(name, { kafkaTopic }))
  }
  if (!limits) add('error', 'topic-invisible')
  else if (limits.errorCode === kafkaCodes.topicAuthorization) add('error', 'topic-forbidden')
  else if (limits.isCreatedByUse) add('warning', 'topic-created-by-use')
  else add('error', 'topic-unknown')
}
