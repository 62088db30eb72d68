import { notFound, OperationOutcomeError } from '@medplum/core'
import type { OperationOutcomeIssue } from '@medplum/fhirtypes'
import type { FhirHost, FhirResource, OperationRequest } from '../host/types.ts'
import { subscriptionTopicType } from '../resources/subscription-topic-type.ts'
import { topicTypeName } from '../resources/type-names.ts'
import { parseSubscriptionTopic, type SubscriptionTopic } from '../triggers/subscription-topic.ts'
import { refusedParameter, unprocessable, type OperationInput } from './operation-input.ts'

/** The topic that an operation is about, with what a write of it would be told. */
export interface AskedTopic {
  readonly topic: SubscriptionTopic
  readonly issues: readonly OperationOutcomeIssue[]
}

const topicType = subscriptionTopicType()

/** The resource or type that an operation is called on. */
export function targetOf({ id }: Pick<OperationRequest, 'id'>): string {
  return id === undefined ? topicTypeName : `${topicTypeName}/${id}`
}

/** The stored topic on instance level, the parameter `topic` on type level. A stored one may have faults, which were not known when it was
 *  written; a given one must not.
 *  @throws OperationOutcomeError 401, 403, 404, 422 */
export async function askedTopic({
  host,
  request,
  input,
}: {
  readonly host: Pick<FhirHost, 'authorize' | 'read'>
  readonly request: OperationRequest
  readonly input: OperationInput
}): Promise<AskedTopic> {
  const { id, principal } = request
  const given = input.resource('topic')
  if (id === undefined) {
    if (!given) throw refusedParameter('topic', 'required', 'Give the topic as a resource.')
    const issues = await topicType.validate(given)
    const faults = issues.filter(({ severity }) => severity === 'error')
    if (faults.length > 0) throw unprocessable(...faults)
    return askedOf(given, issues)
  }
  if (given) {
    throw refusedParameter('topic', 'invalid', 'Leave out topic: the URL says which one is meant.')
  }
  const reference = `${topicTypeName}/${id}`
  await host.authorize?.(principal, 'read', reference)
  const stored = (await host.read([reference])).get(reference)
  if (!stored) throw new OperationOutcomeError(notFound)
  return askedOf(stored, await topicType.validate(stored))
}

function askedOf(resource: FhirResource, issues: readonly OperationOutcomeIssue[]): AskedTopic {
  const topic = parseSubscriptionTopic(resource)
  if (topic.status === 'active') return { topic, issues }
  return {
    topic,
    issues: [
      ...issues,
      remark(
        `The topic is ${topic.status}; the answer is what it would be if it were active. Only active topics are matched.`,
        `${topicTypeName}.status`,
      ),
    ],
  }
}

/** Something to know about an answer. */
export function remark(text: string, ...expression: string[]): OperationOutcomeIssue {
  return {
    severity: 'information',
    code: 'informational',
    details: { text },
    ...(expression.length > 0 ? { expression } : {}),
  }
}
