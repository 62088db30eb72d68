import type { Finding } from '../finding.ts'
import type { ResolvedTopic, ResolvedTopology } from '../resolved-topology.ts'

/** Check L6, as far as it needs no cluster. */
export function replicationFindings({ topics, brokers }: ResolvedTopology): Finding[] {
  return topics.flatMap((topic) => [
    ...(brokers === undefined ? [] : tooManyReplicas(topic, brokers)),
    ...inSyncFindings(topic),
  ])
}

export function tooManyReplicas(topic: ResolvedTopic, brokers: number): Finding[] {
  const { name, replicationFactor, declaredAt: path } = topic
  if (replicationFactor <= brokers) return []
  const message = `"${name}" asks for ${replicationFactor} replicas of ${brokers} brokers; lower replicationFactor, or set it for the environment.`
  return [{ check: 'L6', severity: 'error', message, path }]
}

function inSyncFindings({
  name,
  config,
  replicationFactor,
  declaredAt: path,
}: ResolvedTopic): Finding[] {
  const inSync = Number(config['min.insync.replicas'] ?? 1)
  if (inSync > replicationFactor) {
    const message = `"${name}" asks for ${inSync} in-sync replicas and has ${replicationFactor}: nothing with acks=all can ever be written. Lower min.insync.replicas.`
    return [{ check: 'L6', severity: 'error', message, path }]
  }
  if (inSync < replicationFactor || replicationFactor === 1) return []
  const message = `"${name}" needs all of its ${replicationFactor} replicas in sync: one broker that is down stops every write. Set min.insync.replicas to ${replicationFactor - 1}.`
  return [{ check: 'L6', severity: 'warning', message, path }]
}
