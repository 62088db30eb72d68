import type { Capability, RoleEntry } from './document.ts'

export type AclResourceType = 'TOPIC' | 'GROUP' | 'TRANSACTIONAL_ID' | 'CLUSTER'
export type AclOperation =
  | 'ALL'
  | 'READ'
  | 'WRITE'
  | 'CREATE'
  | 'DELETE'
  | 'ALTER'
  | 'DESCRIBE'
  | 'CLUSTER_ACTION'
  | 'DESCRIBE_CONFIGS'
  | 'ALTER_CONFIGS'
  | 'IDEMPOTENT_WRITE'

/** One right, in Kafka's terms. */
export interface Acl {
  /** `User:<name>` */
  readonly principal: string
  /** `*` is every host. */
  readonly host: string
  readonly permission: 'ALLOW' | 'DENY'
  readonly operation: AclOperation
  readonly resourceType: AclResourceType
  readonly patternType: 'LITERAL' | 'PREFIXED'
  readonly resourceName: string
}

type Resource = Pick<Acl, 'resourceType' | 'patternType' | 'resourceName'>

const cluster: Resource = {
  resourceType: 'CLUSTER',
  patternType: 'LITERAL',
  // Kafka's name of any cluster in ACLs.
  resourceName: 'kafka-cluster',
}

/** What each capability of a role is in Kafka. A read without its groups reads nothing (check L7). */
export const capabilities: Readonly<
  Record<Capability, Partial<Record<AclResourceType, readonly AclOperation[]>>>
> = {
  read: { TOPIC: ['READ', 'DESCRIBE'], GROUP: ['READ'] },
  write: { TOPIC: ['WRITE', 'DESCRIBE'], TRANSACTIONAL_ID: ['WRITE', 'DESCRIBE'] },
  create: { TOPIC: ['CREATE'] },
  describe: { TOPIC: ['DESCRIBE', 'DESCRIBE_CONFIGS'] },
  alter: { TOPIC: ['ALTER', 'ALTER_CONFIGS', 'DESCRIBE_CONFIGS'] },
  manageAcls: { CLUSTER: ['DESCRIBE', 'ALTER'] },
}

/** `name*` is every name that starts so; anything else is the one name. */
export function resourcePattern(pattern: string): Pick<Acl, 'patternType' | 'resourceName'> {
  return pattern.endsWith('*')
    ? { patternType: 'PREFIXED', resourceName: pattern.slice(0, -1) }
    : { patternType: 'LITERAL', resourceName: pattern }
}

/** @param principal `User:<name>` */
export function aclsOfRole(role: RoleEntry, principal: string): Acl[] {
  const patterns: Readonly<Record<AclResourceType, readonly Resource[]>> = {
    TOPIC: resources('TOPIC', role.topics),
    GROUP: resources('GROUP', role.groups),
    TRANSACTIONAL_ID: resources('TRANSACTIONAL_ID', role.transactionalIds),
    CLUSTER: [cluster],
  }
  return role.can.flatMap((capability) =>
    Object.entries(capabilities[capability]).flatMap(([resourceType, operations]) =>
      patterns[resourceType as AclResourceType].flatMap((resource) =>
        operations.map((operation) => allow(principal, operation, resource)),
      ),
    ),
  )
}

function resources(resourceType: AclResourceType, patterns: readonly string[] = []): Resource[] {
  return patterns.map((pattern) => ({ resourceType, ...resourcePattern(pattern) }))
}

export interface DestinationRights {
  readonly kafkaTopic: string
  /** At least once, unless the module's option `transactional` is false. */
  readonly isTransactional: boolean
  /** The brokers want a right on the cluster of whoever is idempotent without being transactional. */
  readonly idempotentWrite: boolean
  /** Of the module; transactional ids and groups of checkpoints start with it and a hyphen. */
  readonly transactionalIdPrefix: string
  /** Where the offsets of checkpoints stand; undefined: no checkpoints. */
  readonly checkpointTopic: string | undefined
}

/** What a destination needs to deliver, and at least once to deliver each event once. Kafka's own authorizer takes Write for Describe as well; others may
 *  not.
 *  @param principal `User:<name>` */
export function aclsOfDestination(principal: string, rights: DestinationRights): Acl[] {
  const { kafkaTopic, isTransactional, transactionalIdPrefix, checkpointTopic } = rights
  const topic = topicNamed(kafkaTopic)
  const own = { patternType: 'PREFIXED', resourceName: `${transactionalIdPrefix}-` } as const
  const transactionalId: Resource = { resourceType: 'TRANSACTIONAL_ID', ...own }
  const group: Resource = { resourceType: 'GROUP', ...own }
  const acls = [allow(principal, 'WRITE', topic), allow(principal, 'DESCRIBE', topic)]
  if (!isTransactional) {
    if (rights.idempotentWrite) acls.push(allow(principal, 'IDEMPOTENT_WRITE', cluster))
    return acls
  }
  acls.push(
    allow(principal, 'WRITE', transactionalId),
    allow(principal, 'DESCRIBE', transactionalId),
  )
  if (checkpointTopic === undefined) return acls
  return [
    ...acls,
    allow(principal, 'READ', group),
    allow(principal, 'READ', topicNamed(checkpointTopic)),
  ]
}

function topicNamed(resourceName: string): Resource {
  return { resourceType: 'TOPIC', patternType: 'LITERAL', resourceName }
}

function allow(principal: string, operation: AclOperation, resource: Resource): Acl {
  return { principal, host: '*', permission: 'ALLOW', operation, ...resource }
}

/** Whether a pattern takes in another one of the same type of resource. */
export function isPatternWithin(inner: Resource, outer: Resource): boolean {
  if (inner.resourceType !== outer.resourceType) return false
  // Kafka's name of everything; no role of a file has it.
  if (outer.patternType === 'LITERAL' && outer.resourceName === '*') return true
  return outer.patternType === 'PREFIXED'
    ? inner.resourceName.startsWith(outer.resourceName)
    : inner.patternType === 'LITERAL' && inner.resourceName === outer.resourceName
}

/** Whether there can be something that both take in. */
export function doOverlap(one: Resource, other: Resource): boolean {
  return isPatternWithin(one, other) || isPatternWithin(other, one)
}

/** Whether one of the ACLs gives its principal the same right on all that its pattern takes in. */
export function isCovered(
  wanted: Resource & Pick<Acl, 'principal' | 'operation'>,
  acls: readonly Acl[],
): boolean {
  return acls.some(
    ({ principal, operation, ...resource }) =>
      principal === wanted.principal &&
      operation === wanted.operation &&
      isPatternWithin(wanted, resource),
  )
}

/** Whether one of the ACLs allows the principal to do it on the one resource of that name. */
export function isAllowed(
  acls: readonly Acl[],
  principal: string,
  operation: AclOperation,
  resourceType: AclResourceType,
  resourceName: string,
): boolean {
  return isCovered(
    { principal, operation, resourceType, resourceName, patternType: 'LITERAL' },
    acls,
  )
}

/** ACLs as a set, in the order of principal, resource and operation. */
export function sortedAcls(acls: readonly Acl[]): Acl[] {
  const byKey = new Map(acls.map((acl) => [aclKey(acl), acl]))
  return [...byKey].toSorted(([a], [b]) => (a < b ? -1 : 1)).map(([, acl]) => acl)
}

/** A text that two ACLs share when they are the same. */
export function aclKey(acl: Acl): string {
  const { principal, resourceType, patternType, resourceName, permission, operation, host } = acl
  return [principal, resourceType, patternType, resourceName, permission, operation, host].join(' ')
}
