import { aclKey, doOverlap, type Acl } from './acl.ts'
import type { ClusterAdmin, ClusterFacts, ClusterTopic } from './cluster-admin.ts'
import type { Finding } from './finding.ts'
import { tooManyReplicas } from './lint/replication.ts'
import type { PlanLine } from './plan-line.ts'
import type { PlanOptions } from './plan-options.ts'
import type { ResolvedTopic, ResolvedTopology } from './resolved-topology.ts'
import { settingChanges } from './setting-changes.ts'

export interface TopologyPlan {
  /** In the order in which they are applied; those that are blocked last. */
  readonly lines: readonly PlanLine[]
  /** What the cluster can never do. */
  readonly findings: readonly Finding[]
}

/** The differences between a cluster and its file, as the steps that would end them. Changes nothing.
 *  @throws {@link TopologyError} when the cluster does not answer */
export async function planTopology(
  topology: ResolvedTopology,
  admin: ClusterAdmin,
  options: PlanOptions = {},
): Promise<TopologyPlan> {
  const facts = await admin.facts()
  const names = new Set(await admin.topicNames())
  const present = topology.topics.filter(({ name }) => names.has(name))
  const live = new Map(
    (await admin.describeTopics(present.map(({ name }) => name))).map((topic) => [
      topic.name,
      topic,
    ]),
  )
  const lines = [
    ...topology.topics.flatMap((topic) => topicLines(topic, live.get(topic.name), options)),
    ...(options.skipAcls === true ? [] : await aclLines(topology, admin, options)),
    ...undeclaredTopics(topology, names),
  ]
  const rank = ({ action, blocked }: PlanLine): number =>
    (blocked === undefined ? 0 : order.length) + order.indexOf(action)
  return {
    lines: lines.toSorted((a, b) => rank(a) - rank(b)),
    findings: factFindings(topology, facts),
  }
}

/** Rights come first: whoever applies may be about to get those that the rest needs. */
const order: readonly PlanLine['action'][] = [
  'add-acl',
  'create-topic',
  'add-partitions',
  'alter-config',
  'remove-acl',
  'remove-partitions',
  'change-replicas',
  'delete-topic',
]

function topicLines(
  wanted: ResolvedTopic,
  live: ClusterTopic | undefined,
  options: PlanOptions,
): PlanLine[] {
  const { name: topic, partitions, replicationFactor, config } = wanted
  if (!live) return [{ action: 'create-topic', topic, partitions, replicationFactor, config }]
  const lines: PlanLine[] = settingChanges(wanted, live, options)
  if (partitions > live.partitions) {
    const blocked =
      'records of one key would go to another partition than before; --allow-partition-increase does it'
    lines.push({
      action: 'add-partitions',
      topic,
      from: live.partitions,
      to: partitions,
      ...(options.allowPartitionIncrease === true ? {} : { blocked }),
    })
  }
  if (partitions < live.partitions) {
    const blocked = 'Kafka cannot remove partitions; raise the number in the file'
    lines.push({
      action: 'remove-partitions',
      topic,
      from: live.partitions,
      to: partitions,
      blocked,
    })
  }
  if (replicationFactor !== live.replicationFactor) {
    const blocked = 'replicas are moved by kafka-reassign-partitions, not from here'
    const [from, to] = [live.replicationFactor, replicationFactor]
    lines.push({ action: 'change-replicas', topic, from, to, blocked })
  }
  return lines
}

/** Only of principals that the file knows, and of everybody, who they are as well: others may share the cluster. */
async function aclLines(
  topology: ResolvedTopology,
  admin: ClusterAdmin,
  { pruneAcls = false }: PlanOptions,
): Promise<PlanLine[]> {
  const { acls, principals } = topology
  const lines: PlanLine[] = []
  for (const principal of new Set(Object.values(principals))) {
    const wanted = keyed(acls.filter((acl) => acl.principal === principal))
    const live = keyed(await admin.acls(principal))
    for (const [key, acl] of wanted) if (!live.has(key)) lines.push({ action: 'add-acl', acl })
    for (const [key, acl] of live) {
      if (wanted.has(key)) continue
      const blocked = 'no role of the file has it; --prune-acls removes it'
      lines.push({ action: 'remove-acl', acl, ...(pruneAcls ? {} : { blocked }) })
    }
  }
  if (Object.keys(principals).length === 0) return lines
  return [...lines, ...everybodysLines(topology, await admin.acls('User:*'))]
}

/** Rights and denials for everybody on what the file is about. They are never removed from here: others on the cluster may live by them. */
function everybodysLines(
  { acls, topics, groups }: ResolvedTopology,
  live: readonly Acl[],
): PlanLine[] {
  const literal = (resourceType: Acl['resourceType'], resourceName: string) =>
    ({ resourceType, resourceName, patternType: 'LITERAL' }) as const
  const ours = [
    ...acls,
    ...topics.map(({ name }) => literal('TOPIC', name)),
    ...groups.map(({ name }) => literal('GROUP', name)),
  ]
  const blocked =
    'it is for everybody, so for the principals of the file as well; whoever made it removes it'
  return live
    .filter((acl) => acl.resourceType === 'CLUSTER' || ours.some((own) => doOverlap(acl, own)))
    .map((acl) => ({ action: 'remove-acl', acl, blocked }))
}

function keyed(acls: readonly Acl[]): Map<string, Acl> {
  return new Map(acls.map((acl) => [aclKey(acl), acl]))
}

function undeclaredTopics(
  { topics, allow, ignore }: ResolvedTopology,
  names: ReadonlySet<string>,
): PlanLine[] {
  const declared = new Set(topics.map(({ name }) => name))
  const isOurs = (name: string): boolean =>
    allow.some((prefix) => name.startsWith(prefix)) &&
    !ignore.some((prefix) => name.startsWith(prefix))
  return [...names]
    .filter((name) => !declared.has(name) && isOurs(name))
    .map((topic) => {
      const blocked =
        'the file does not have it, and topics are never deleted from here; add it to topics, or to naming.ignore'
      return { action: 'delete-topic', topic, blocked }
    })
}

function factFindings(
  { topics, destinations, acls }: ResolvedTopology,
  { brokers, transactionLogReplicas = 0 }: ClusterFacts,
): Finding[] {
  const findings = topics.flatMap((topic) => tooManyReplicas(topic, brokers))
  const isTransactional =
    destinations.some(({ kind }) => kind === 'kafka-at-least-once') ||
    acls.some(({ resourceType }) => resourceType === 'TRANSACTIONAL_ID')
  if (!isTransactional || transactionLogReplicas <= brokers) return findings
  const message = `transaction.state.log.replication.factor is ${transactionLogReplicas} and the cluster has ${brokers} brokers: no transaction can ever begin. Lower it on the brokers.`
  return [...findings, { check: 'L6', severity: 'error', message, path: ['fhir'] }]
}
