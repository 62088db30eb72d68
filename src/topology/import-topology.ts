import { Document, stringify } from 'yaml'
import { aclKey, aclsOfRole, capabilities, type Acl } from './acl.ts'
import type { ClusterAdmin, ClusterTopic } from './cluster-admin.ts'
import type {
  Capability,
  ClusterSection,
  Named,
  PrincipalEntry,
  RoleEntry,
  TopicEntry,
  TopicSettings,
  TopologyDocument,
} from './document.ts'
import { formatRetention } from './duration.ts'
import { aclText } from './plan-line.ts'

export interface ImportOptions {
  /** What the names of the topics start with. */
  readonly prefix: string
  /** Name of the document. */
  readonly name: string
  /** Principals (`User:<name>`) whose rights are looked at; default: none. */
  readonly principals?: readonly string[]
  /** How the cluster is reached, for the document. */
  readonly cluster?: ClusterSection
}

export interface ImportedTopology {
  readonly document: TopologyDocument
  /** Rights of the principals that no role of the format gives. */
  readonly otherAcls: readonly Acl[]
}

/** Reads a cluster's topics of a prefix, and the rights of principals on them, into a document that `verify` finds in line.
 *
 *  A cluster does not know who produces and consumes: every topic says `external: true` until somebody writes it down.
 *  @throws {@link TopologyError} when the cluster does not answer */
export async function importTopology(
  admin: ClusterAdmin,
  { prefix, name, principals = [], cluster }: ImportOptions,
): Promise<ImportedTopology> {
  const names = (await admin.topicNames()).filter((topic) => topic.startsWith(prefix))
  const topics = await admin.describeTopics(names)
  const defaults = commonSettings(topics)
  const roles: Record<string, RoleEntry> = {}
  const entries: Record<string, PrincipalEntry> = {}
  const otherAcls: Acl[] = []
  for (const user of principals) {
    const key = user.replace(/^User:/, '')
    const acls = await admin.acls(user)
    const found = rolesOf(acls, key)
    const given = new Set(
      Object.values(found)
        .flatMap((role) => aclsOfRole(role, user))
        .map(aclKey),
    )
    otherAcls.push(...acls.filter((acl) => !given.has(aclKey(acl))))
    Object.assign(roles, found)
    entries[key] = { user, secretRef: key }
  }
  const document: TopologyDocument = {
    apiVersion: 'fhir-kafka/v1',
    kind: 'KafkaTopology',
    metadata: { name },
    ...(cluster === undefined ? {} : { cluster }),
    ...whenNotEmpty('principals', entries),
    naming: { allow: [prefix] },
    defaults,
    topics: Object.fromEntries(topics.map((topic) => [topic.name, topicEntry(topic, defaults)])),
    ...whenNotEmpty('roles', roles),
  }
  return { document, otherAcls }
}

/** The document as YAML, with what it cannot say as a comment. */
export function importedYaml({ document, otherAcls }: ImportedTopology): string {
  if (otherAcls.length === 0) return stringify(document)
  const yaml = new Document(document)
  yaml.commentBefore = [
    ' Rights on the cluster that no role here gives; topology plan shows them as too much:',
    ...otherAcls.map((acl) => `   ${aclText(acl)}`),
  ].join('\n')
  return yaml.toString()
}

/** What most topics have. */
function commonSettings(topics: readonly ClusterTopic[]): TopicSettings {
  return {
    partitions: mostCommon(topics.map(({ partitions }) => partitions)) ?? 1,
    replicationFactor: mostCommon(topics.map(({ replicationFactor }) => replicationFactor)) ?? 1,
  }
}

function mostCommon(values: readonly number[]): number | undefined {
  const counts = new Map<number, number>()
  for (const value of values) counts.set(value, (counts.get(value) ?? 0) + 1)
  return [...counts].toSorted(([, a], [, b]) => b - a)[0]?.[0]
}

/** Settings stand with each topic: a default could not be taken back by one that has none. */
function topicEntry(
  { partitions, replicationFactor, config }: ClusterTopic,
  defaults: TopicSettings,
): TopicEntry {
  const { 'retention.ms': retention, ...rest } = config
  const settings = {
    ...(retention === undefined ? {} : { retention: formatRetention(Number(retention)) }),
    ...rest,
  }
  return {
    external: true,
    ...(partitions === defaults.partitions ? {} : { partitions }),
    ...(replicationFactor === defaults.replicationFactor ? {} : { replicationFactor }),
    ...whenNotEmpty('config', settings),
  }
}

/** A role for each capability that the ACLs hold whole; several with the same patterns are one role. */
function rolesOf(acls: readonly Acl[], name: string): Record<string, RoleEntry> {
  const roles: Record<string, RoleEntry> = {}
  const live = new Set(acls.map(aclKey))
  const byPatterns = new Map<string, RoleEntry>()
  for (const capability of Object.keys(capabilities) as Capability[]) {
    const role = roleOf(capability, acls, live, name)
    const given = role ? aclsOfRole(role, acls[0]?.principal ?? '') : []
    if (!role || given.length === 0 || !given.every((acl) => live.has(aclKey(acl)))) continue
    const { can: _, ...patterns } = role
    const key = JSON.stringify(patterns)
    byPatterns.set(key, { ...role, can: [...(byPatterns.get(key)?.can ?? []), capability] })
  }
  for (const role of byPatterns.values()) roles[`${name}-${role.can.join('-')}`] = role
  return roles
}

function roleOf(
  capability: Capability,
  acls: readonly Acl[],
  live: ReadonlySet<string>,
  principal: string,
): RoleEntry | undefined {
  const patterns = (type: Acl['resourceType']): string[] => {
    const operations = capabilities[capability][type] ?? []
    const ofType = acls.filter(
      ({ resourceType, permission, host }) =>
        resourceType === type && permission === 'ALLOW' && host === '*',
    )
    const whole = ofType.filter((acl) =>
      operations.every((operation) => live.has(aclKey({ ...acl, operation }))),
    )
    return operations.length === 0 ? [] : [...new Set(whole.map(patternText))].toSorted()
  }
  const [topics, groups, transactionalIds] = [
    patterns('TOPIC'),
    patterns('GROUP'),
    patterns('TRANSACTIONAL_ID'),
  ]
  const isComplete =
    capability === 'manageAcls'
      ? patterns('CLUSTER').length > 0
      : topics.length > 0 && (capability !== 'read' || groups.length > 0)
  if (!isComplete) return undefined
  return {
    principal,
    can: [capability],
    ...whenNotEmpty('topics', topics),
    ...whenNotEmpty('groups', groups),
    ...whenNotEmpty('transactionalIds', transactionalIds),
  }
}

function patternText({ patternType, resourceName }: Acl): string {
  return patternType === 'PREFIXED' ? `${resourceName}*` : resourceName
}

function whenNotEmpty<Key extends string, Value extends Named<unknown> | readonly unknown[]>(
  key: Key,
  value: Value,
): Partial<Record<Key, Value>> {
  return Object.keys(value).length === 0 ? {} : ({ [key]: value } as Record<Key, Value>)
}
