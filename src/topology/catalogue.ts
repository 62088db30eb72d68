import { isAllowed } from './acl.ts'
import { readTopology } from './read-topology.ts'
import { resolveTopology } from './resolve-topology.ts'
import type { ResolvedTopology } from './resolved-topology.ts'

/** A topology file, and the environment of it that this server is in. */
export interface TopologyFile {
  readonly file: string
  readonly environment?: string | undefined
}

/** The topology that an option names or is.
 *  @throws {@link TopologyError} when the file cannot be used */
export function topologyOf(option: TopologyFile | ResolvedTopology): ResolvedTopology {
  if (!('file' in option)) return option
  return resolveTopology(readTopology(option.file), option.environment)
}

/** What FHIR destinations may write to. */
export interface Catalogue {
  /** Why a destination may not write to a Kafka topic, and what to do; undefined: it may.
   *  @param user that it logs in as; undefined: it cannot be told */
  fault(kafkaTopic: string, user: string | undefined): string | undefined
}

/** The catalogue that destinations are held to; undefined where the file leaves them alone (`fhir.enforceCatalogue`).
 *
 *  A Kafka topic is declared for a destination when `fhir.destinations` names it, or when its producer is outside of the file. Where the file gives rights,
 *  the destination's user must have the one to write to it. */
export function catalogueOf(topology: ResolvedTopology): Catalogue | undefined {
  const { name, topics, destinations, acls, fhir } = topology
  if (!fhir.enforceCatalogue) return undefined
  const all = new Set(topics.map((topic) => topic.name))
  const declared = new Set([
    ...destinations.map(({ kafkaTopic }) => kafkaTopic),
    ...topics
      .filter(({ kind, hasExternalProducer }) => kind === 'topic' && hasExternalProducer)
      .map((topic) => topic.name),
  ])
  return {
    fault(kafkaTopic, user) {
      if (!all.has(kafkaTopic)) {
        return `The topology "${name}" has no Kafka topic of this name; write another one, or add it there.`
      }
      if (!declared.has(kafkaTopic)) {
        return `The topology "${name}" declares this Kafka topic for other producers; write another one, or add the destination to fhir.destinations there.`
      }
      const isForbidden =
        user !== undefined &&
        acls.length > 0 &&
        !isAllowed(acls, `User:${user}`, 'WRITE', 'TOPIC', kafkaTopic)
      if (!isForbidden) return undefined
      return `The topology "${name}" does not let the Kafka principal of this destination write to this Kafka topic; use another saslJaasConfig, or give the principal the right there.`
    },
  }
}

/** Options of the module that the rights of a topology's destinations are for. */
export interface RightsOptions {
  readonly transactionalIdPrefix: string
  readonly checkpointTopic?: string | undefined
}

/** In which of them a topology differs, one sentence each: the rights that it gives are not those that the module needs then. */
export function rightsDifferences(
  { name, fhir, destinations }: ResolvedTopology,
  options: RightsOptions,
): string[] {
  if (!destinations.some(({ kind }) => kind === 'kafka-at-least-once')) return []
  return (['transactionalIdPrefix', 'checkpointTopic'] as const)
    .filter((option) => fhir[option] !== options[option])
    .map(
      (option) =>
        `The option ${option} is ${said(options[option])}, fhir.${option} of the topology "${name}" ${said(fhir[option])}: the rights that it gives are for the latter.`,
    )
}

function said(value: string | undefined): string {
  return value === undefined ? 'not set' : `"${value}"`
}
