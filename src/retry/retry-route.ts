import { TopologyError } from '../topology/finding.ts'
import { groupOf } from '../topology/resolve-topology.ts'
import type { ResolvedTopic, ResolvedTopology } from '../topology/resolved-topology.ts'
import type { RetryState } from './retry-headers.ts'
import { retryPolicyOf, type RetryPolicy } from './retry-policy.ts'

/** What one component reads of a topic and its retry topic, and where it sends what fails. */
export interface RetryRoute {
  readonly group: string
  readonly topic: string
  readonly retryTopic: string
  /** Undefined where the policy has another end. */
  readonly deadLetterTopic: string | undefined
  /** Of the two topics, those that the component consumes. */
  readonly subscribed: readonly string[]
  readonly policy: RetryPolicy
  /** Whether a record is for this component. What several groups read comes back for the one that failed alone. */
  readonly isMine: (topic: string, state: RetryState) => boolean
}

/** @param topic one with a retry policy
 *  @param consumer `service/Component`; needed where more than one consumes the topic
 *  @throws {@link TopologyError} */
export function retryRoute(
  topology: ResolvedTopology,
  topic: string,
  consumer?: string,
): RetryRoute {
  const source = topicNamed(topology, topic)
  const retryTopic = derivedTopic(topology, 'retry', topic)
  const policyName = source.retryPolicy
  const entry = policyName === undefined ? undefined : topology.retryPolicies[policyName]
  if (policyName === undefined || !entry || !retryTopic) {
    throw new TopologyError(`The topic "${topic}" has no retry policy; give it one with retry.`)
  }
  const policy = retryPolicyOf(policyName, entry)
  const component = consumerOf(topic, [...source.consumers, ...retryTopic.consumers], consumer)
  const { services } = topology
  const group = groupOf(component, services)
  const groupsOf = ({ consumers }: ResolvedTopic): string[] =>
    consumers.map((one) => groupOf(one, services))
  const [first, again] = [groupsOf(source), groupsOf(retryTopic)]
  return {
    group,
    topic,
    retryTopic: retryTopic.name,
    deadLetterTopic:
      policy.then === 'deadLetter' ? derivedTopic(topology, 'deadLetter', topic)?.name : undefined,
    subscribed: [source, retryTopic]
      .filter(({ consumers }) => consumers.includes(component))
      .map(({ name }) => name),
    policy,
    isMine: (from, { group: failed }) =>
      failed === undefined ||
      failed === group ||
      (from === topic ? !first.includes(failed) : takesOver(failed, group, first, again)),
  }
}

/** Whether a group gets from the retry topic what another one has failed with. One does: two would each move it on. */
function takesOver(
  failed: string,
  group: string,
  first: readonly string[],
  again: readonly string[],
): boolean {
  if (again.includes(failed)) return false
  // Who consumes nothing but the retry topic is there for the failures of others.
  return group === (again.find((one) => !first.includes(one)) ?? again[0])
}

export function topicNamed({ topics }: ResolvedTopology, name: string): ResolvedTopic {
  const found = topics.find((topic) => topic.name === name)
  if (found) return found
  throw new TopologyError(`The topic "${name}" is not in the file; add it to topics.`)
}

/** The retry or the dead-letter topic of a topic. */
export function derivedTopic(
  { topics }: ResolvedTopology,
  kind: 'retry' | 'deadLetter',
  topic: string,
): ResolvedTopic | undefined {
  return topics.find((one) => one.kind === kind && one.source === topic)
}

function consumerOf(topic: string, consumers: readonly string[], wanted?: string): string {
  const all = [...new Set(consumers)]
  const [only, other] = all
  if (wanted !== undefined) {
    if (all.includes(wanted)) return wanted
    throw new TopologyError(
      `"${wanted}" consumes neither "${topic}" nor its retry topic; add it to "to".`,
    )
  }
  if (only === undefined) {
    throw new TopologyError(`Nobody consumes "${topic}"; say with "to" who does.`)
  }
  if (other !== undefined) {
    throw new TopologyError(
      `"${topic}" has several consumers; say which one this is: ${all.join(', ')}.`,
    )
  }
  return only
}
