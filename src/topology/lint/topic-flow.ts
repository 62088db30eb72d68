import { formatRetention } from '../duration.ts'
import type { Finding } from '../finding.ts'
import { groupOf } from '../resolve-topology.ts'
import type { ResolvedTopic, ResolvedTopology } from '../resolved-topology.ts'

/** Checks L1, L2, L5 and L9: what comes to a topic goes somewhere, fast enough, and stays long enough. */
export function flowFindings(topology: ResolvedTopology): Finding[] {
  const health = new Set(Object.values(topology.services).map((service) => service.health))
  const delivered = new Set(topology.destinations.map(({ kafkaTopic }) => kafkaTopic))
  return [
    ...unknownHealthTopics(topology),
    ...topology.topics.flatMap((topic) => unconnected(topic, health, delivered)),
    ...idleInstances(topology),
    ...sharedGroups(topology),
    ...topology.topics.flatMap((topic) => shortDeadLetters(topic, topology)),
  ]
}

/** @param health topics that services name as theirs
 *  @param delivered topics that FHIR destinations write to */
function unconnected(
  topic: ResolvedTopic,
  health: ReadonlySet<string | undefined>,
  delivered: ReadonlySet<string>,
): Finding[] {
  const { name, kind, source, producers, consumers, declaredAt: path } = topic
  if (kind === 'health') {
    if (health.has(name)) return []
    const message = `No service has the health topic "${name}"; name it as health of a service, or remove it.`
    return [{ check: 'L2', severity: 'error', message, path }]
  }
  const isRead = consumers.length > 0 || topic.hasExternalConsumer
  const isWritten = producers.length > 0 || topic.hasExternalProducer || delivered.has(name)
  if (kind === 'retry' && !isRead) {
    const of = source === undefined ? '' : ` of "${source}"`
    const message = `Nobody consumes the retry topic "${name}": what fails stays there until it expires. Name its consumer with to, or give the topic${of} a retry policy.`
    return [{ check: 'L1', severity: 'error', message, path }, ...(isWritten ? [] : [unwritten()])]
  }
  return [...(isWritten ? [] : [unwritten()]), ...(isRead ? [] : [unread()])]

  function unwritten(): Finding {
    const message = `Nobody produces to "${name}"; name the producer with by, say external: producer, or remove the topic.`
    return { check: 'L2', severity: 'error', message, path }
  }

  function unread(): Finding {
    const message = `Nobody consumes "${name}"; name the consumer with to, say external: consumer, or remove the topic.`
    return { check: 'L2', severity: 'error', message, path }
  }
}

function unknownHealthTopics({ services, topics }: ResolvedTopology): Finding[] {
  const known = new Set(topics.map(({ name }) => name))
  return Object.entries(services).flatMap(([service, { health }]) => {
    if (health === undefined || known.has(health)) return []
    const message = `The health topic "${health}" of the service "${service}" is not in the file; add it to topics with role: health.`
    return [
      { check: 'reference', severity: 'error', message, path: ['services', service, 'health'] },
    ]
  })
}

function idleInstances({ groups, topics }: ResolvedTopology): Finding[] {
  const byName = new Map(topics.map((topic) => [topic.name, topic]))
  return groups.flatMap(({ service, maxInstances = 0, topics: consumed }) =>
    consumed.flatMap((name) => {
      const topic = byName.get(name)
      if (!topic || maxInstances <= topic.partitions) return []
      const { partitions, declaredAt: path } = topic
      const message = `"${name}" has ${partitions} partitions for up to ${maxInstances} instances of the service "${service}": ${maxInstances - partitions} of them get nothing. Raise partitions to ${maxInstances}.`
      return [{ check: 'L5', severity: 'warning', message, path }]
    }),
  )
}

function sharedGroups({ services, topics }: ResolvedTopology): Finding[] {
  const owners = new Map<string, string>()
  return [...new Set(topics.flatMap(({ consumers }) => consumers))].flatMap((consumer) => {
    const [service = ''] = consumer.split('/')
    const group = groupOf(consumer, services)
    const other = owners.get(group)
    if (other === undefined) {
      owners.set(group, consumer)
      return []
    }
    const message = `"${other}" and "${consumer}" are one consumer group, "${group}": a message goes to one of them alone. Give their services other prefixes, or one of them another name.`
    return [{ check: 'L5', severity: 'error', message, path: ['services', service] }]
  })
}

function shortDeadLetters(topic: ResolvedTopic, { topics }: ResolvedTopology): Finding[] {
  const source = topics.find(({ name }) => name === topic.source)
  if (topic.kind !== 'deadLetter' || !source) return []
  const [ownMs, sourceMs] = [retentionOf(topic), retentionOf(source)]
  if (ownMs === undefined || sourceMs === undefined || lasting(ownMs) >= lasting(sourceMs))
    return []
  const message = `The dead-letter topic "${topic.name}" keeps messages for ${formatRetention(ownMs)}, the topic they come from for ${formatRetention(sourceMs)}; keep dead letters at least as long.`
  return [{ check: 'L9', severity: 'error', message, path: topic.declaredAt }]
}

function retentionOf({ config }: ResolvedTopic): number | undefined {
  const text = config['retention.ms']
  return text === undefined ? undefined : Number(text)
}

function lasting(milliseconds: number): number {
  return milliseconds < 0 ? Number.POSITIVE_INFINITY : milliseconds
}
