import { aclsOfDestination, aclsOfRole, isAllowed, isCovered, sortedAcls, type Acl } from './acl.ts'
import type { DestinationEntry, EnvironmentEntry, TopologyDocument } from './document.ts'
import { refuseErrors, type DocumentPath, type Finding, type Report } from './finding.ts'
import type { TopologySource } from './parse-topology.ts'
import { resolveTopics } from './resolve-topics.ts'
import type {
  ConsumerGroup,
  ResolvedDestination,
  ResolvedTopic,
  ResolvedTopology,
} from './resolved-topology.ts'
import { substituteAll, type Variables } from './variables.ts'

/** As the module's option of that name. */
export const defaultTransactionalIdPrefix = 'fhir-topic-destination'

/** The document as it is in one environment.
 *
 *  The section `cluster` is not looked at: only who connects needs its variables.
 *  @param environment name of one of its environments; undefined for a document without any
 *  @param variables values of `${VARIABLES}` that the environment does not have itself; default: of the process
 *  @throws {@link TopologyError} when something has no value or is not there */
export function resolveTopology(
  source: TopologySource,
  environment?: string,
  variables: Readonly<Record<string, string | undefined>> = process.env,
): ResolvedTopology {
  const fault = environmentFault(source.document, environment)
  refuseErrors(fault ? [source.locate(fault)] : [])
  const findings: Finding[] = []
  const topology = resolveInto(findings, source.document, environment, variables)
  refuseErrors(findings.map((finding) => source.locate(finding)))
  return topology
}

/** Like `resolveTopology`, with all that is wrong as findings.
 *  @param environment without a fault */
export function resolveInto(
  findings: Finding[],
  document: TopologyDocument,
  environment: string | undefined,
  variables: Readonly<Record<string, string | undefined>>,
): ResolvedTopology {
  const report: Report = (finding) => findings.push(finding)
  const entry = document.environments?.[environment ?? '']
  const { cluster: _, environments: __, ...rest } = document
  const values = variablesOf(entry, variables)
  const plain = substituteAll(rest, [], values, report)
  const topics = resolveTopics(plain, environment, values, entry, report)
  const roleAcls = aclsOfRoles(plain, report)
  checkServicePrincipals(plain, report)
  const { destinations, acls } = resolveDestinations(plain, topics, roleAcls, report)
  return {
    name: plain.metadata.name,
    environment,
    topics,
    groups: consumerGroups(plain, topics),
    acls: sortedAcls([...roleAcls, ...acls]),
    services: plain.services ?? {},
    retryPolicies: plain.retryPolicies ?? {},
    roles: plain.roles ?? {},
    principals: Object.fromEntries(
      Object.entries(plain.principals ?? {}).map(([name, { user }]) => [name, user]),
    ),
    destinations,
    fhir: {
      enforceCatalogue: plain.fhir?.enforceCatalogue === true,
      transactionalIdPrefix: plain.fhir?.transactionalIdPrefix ?? defaultTransactionalIdPrefix,
      checkpointTopic: plain.fhir?.checkpointTopic,
    },
    allow: plain.naming?.allow ?? [],
    ignore: plain.naming?.ignore ?? [],
    brokers: entry?.brokers,
  }
}

/** What is wrong with the name of an environment. Nothing else is worth saying then: most of it would follow. */
export function environmentFault(
  { environments = {} }: TopologyDocument,
  name: string | undefined,
): Finding | undefined {
  const known = Object.keys(environments)
  if (name === undefined ? known.length === 0 : known.includes(name)) return undefined
  const which =
    name === undefined ? 'An environment is needed' : `There is no environment "${name}"`
  const choice = known.length === 0 ? 'the file has none' : `it is one of ${known.join(', ')}`
  const message = `${which}: ${choice}.`
  return { check: 'reference', severity: 'error', message, path: ['environments'] }
}

/** What stands in the file wins: it is the same on every machine. */
export function variablesOf(
  environment: EnvironmentEntry | undefined,
  outside: Readonly<Record<string, string | undefined>>,
): Variables {
  return (name) => {
    const own = environment?.vars?.[name]
    return own === undefined ? outside[name] : String(own)
  }
}

function aclsOfRoles(document: TopologyDocument, report: Report): Acl[] {
  return Object.entries(document.roles ?? {}).flatMap(([name, role]) => {
    const path = ['roles', name, 'principal']
    const principal = principalNamed(document, role.principal, path, report)
    return principal === undefined ? [] : aclsOfRole(role, principal)
  })
}

function checkServicePrincipals(document: TopologyDocument, report: Report): void {
  for (const [name, entry] of Object.entries(document.services ?? {})) {
    for (const side of ['producer', 'consumer'] as const) {
      const principal = entry[side]
      if (principal !== undefined) {
        principalNamed(document, principal, ['services', name, side], report)
      }
    }
  }
}

function principalNamed(
  { principals = {} }: TopologyDocument,
  name: string,
  path: DocumentPath,
  report: Report,
): string | undefined {
  const user = principals[name]?.user
  if (user !== undefined) return user
  const message = `There is no principal "${name}"; add it to principals.`
  report({ check: 'reference', severity: 'error', message, path })
  return undefined
}

/** Groups are named by {@link groupOf}. */
function consumerGroups(
  { services = {} }: TopologyDocument,
  topics: readonly ResolvedTopic[],
): ConsumerGroup[] {
  const groups = new Map<string, ConsumerGroup>()
  for (const { name: topic, consumers } of topics) {
    for (const consumer of consumers) {
      const [service = ''] = consumer.split('/')
      const entry = services[service]
      if (!entry) continue
      const name = groupOf(consumer, services)
      const others = groups.get(name)?.topics ?? []
      groups.set(name, {
        name,
        service,
        topics: [...new Set([...others, topic])],
        maxInstances: entry.maxInstances,
      })
    }
  }
  return [...groups.values()].toSorted((a, b) => (a.name < b.name ? -1 : 1))
}

/** The group of a consumer `service/Component`: `<prefix of the service><component in lower case>`. */
export function groupOf(consumer: string, services: ResolvedTopology['services']): string {
  const [service = '', component = ''] = consumer.split('/')
  return `${services[service]?.groupPrefix ?? ''}${component.toLowerCase()}`
}

function resolveDestinations(
  document: TopologyDocument,
  topics: readonly ResolvedTopic[],
  roleAcls: readonly Acl[],
  report: Report,
): { readonly destinations: ResolvedDestination[]; readonly acls: Acl[] } {
  const { fhir } = document
  const known = new Set(topics.map(({ name }) => name))
  const mustBeKnown = (topic: string, path: DocumentPath): void => {
    if (known.has(topic)) return
    const message = `The Kafka topic "${topic}" is not in the file; add it to topics.`
    report({ check: 'reference', severity: 'error', message, path })
  }
  const acls: Acl[] = []
  const destinations = (fhir?.destinations ?? []).map((entry, index) => {
    const path = ['fhir', 'destinations', index]
    mustBeKnown(entry.kafkaTopic, [...path, 'kafkaTopic'])
    const principal = principalOf(document, entry, roleAcls, path, report)
    if (principal !== undefined) {
      const rights = aclsOfDestination(principal, {
        kafkaTopic: entry.kafkaTopic,
        isTransactional: entry.kind === 'kafka-at-least-once' && entry.transactional !== false,
        idempotentWrite: fhir?.idempotentWrite === true,
        transactionalIdPrefix: fhir?.transactionalIdPrefix ?? defaultTransactionalIdPrefix,
        checkpointTopic:
          entry.checkpoint === false ? undefined : (fhir?.checkpointTopic ?? entry.kafkaTopic),
      })
      acls.push(...rights.filter((acl) => !isCovered(acl, roleAcls)))
    }
    const { id, kafkaTopic, kind } = entry
    return { id, kafkaTopic, kind, principal, declaredAt: path }
  })
  if (fhir?.checkpointTopic !== undefined) {
    mustBeKnown(fhir.checkpointTopic, ['fhir', 'checkpointTopic'])
  }
  return { destinations, acls }
}

function principalOf(
  document: TopologyDocument,
  { id, principal, kafkaTopic }: DestinationEntry,
  roleAcls: readonly Acl[],
  path: DocumentPath,
  report: Report,
): string | undefined {
  if (principal !== undefined) {
    return principalNamed(document, principal, [...path, 'principal'], report)
  }
  const writers = new Set(roleAcls.map((acl) => acl.principal)).values()
  const [writer, other] = [...writers].filter((user) =>
    isAllowed(roleAcls, user, 'WRITE', 'TOPIC', kafkaTopic),
  )
  if (writer !== undefined && other === undefined) return writer
  const why =
    writer === undefined
      ? `no role may write to "${kafkaTopic}"`
      : `more than one principal may write to "${kafkaTopic}"`
  const message = `Whose rights the destination "${id}" has cannot be told, because ${why}; name its principal.`
  report({ check: 'reference', severity: 'error', message, path })
  return undefined
}
