import { clusterConnection, type ClusterOptions } from '../cluster-connection.ts'
import { TopologyError } from '../finding.ts'
import type { TopologySource } from '../parse-topology.ts'
import { resolveTopology } from '../resolve-topology.ts'
import { healthSubjects } from './health-subjects.ts'
import type { TopologyHealth } from './topology-health.ts'

export interface HealthOptions extends ClusterOptions {
  /** Names of services of the file. Default: every one with a health topic. */
  readonly services?: readonly string[] | undefined
  /** Longest time of a look, in milliseconds: what has not answered by then has failed. Default 5000. Minimum 500. */
  readonly deadlineMs?: number | undefined
}

const defaultDeadlineMs = 5000
const leastDeadlineMs = 500

/** Looks whether each service can talk through Kafka: its producer writes a record to the service's health topic, its consumer reads exactly that one back.
 *
 *  Connects anew, so that passwords and rights are those of now; a probe that is asked often is {@link HealthProbe}.
 *  @throws {@link TopologyError} when the file does not say how, `KTD_SECRET` when a secret cannot be read; never because of the cluster */
export async function checkHealth(
  source: TopologySource,
  options: HealthOptions = {},
): Promise<TopologyHealth> {
  const { health, ended } = await look(source, options)
  await ended
  return health
}

export interface HealthLook {
  readonly health: TopologyHealth
  /** When its connections are closed. */
  readonly ended: Promise<unknown>
}

/** As {@link checkHealth}, which answers before its connections are closed. */
export async function look(source: TopologySource, options: HealthOptions): Promise<HealthLook> {
  const { environment, variables, services: wanted, deadlineMs = defaultDeadlineMs } = options
  if (!Number.isInteger(deadlineMs) || deadlineMs < leastDeadlineMs) {
    throw new TopologyError(
      `The deadline must be a whole number of milliseconds from ${leastDeadlineMs} on.`,
    )
  }
  const topology = resolveTopology(source, environment, variables)
  const connection = clusterConnection(source, options)
  const subjects = healthSubjects(topology, wanted, connection.usesLogin)
  // Loaded here, because it needs the native part of node-rdkafka, which nothing else of a topology does.
  const { roundTrips } = await import('./round-trips.ts')
  const userOf = (principal: string): string | undefined => topology.principals[principal]
  const { services, ended } = await roundTrips(subjects, connection, deadlineMs, userOf)
  return {
    health: {
      name: topology.name,
      environment: topology.environment,
      isHealthy: services.every(({ isHealthy }) => isHealthy),
      services,
    },
    ended,
  }
}
