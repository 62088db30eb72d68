import { isAllowed } from '../acl.ts'
import type { Finding } from '../finding.ts'
import type { ConsumerGroup, ResolvedTopology } from '../resolved-topology.ts'

/** Check L7. A file without roles leaves rights to others. */
export function roleFindings(topology: ResolvedTopology): Finding[] {
  const { roles, groups } = topology
  const faults = Object.entries(roles).flatMap(([name, { can, topics = [], groups: own = [] }]) => {
    const path = ['roles', name]
    const found: Finding[] = []
    if (can.includes('read') && own.length === 0) {
      const message = `The role "${name}" may read topics, but with no consumer group, and Kafka lets nobody read without one. Give it groups, as in ["${groupExample(topology)}*"].`
      found.push({ check: 'L7', severity: 'error', message, path })
    }
    if (topics.length === 0 && can.some((capability) => capability !== 'manageAcls')) {
      const message = `The role "${name}" has no topics; give it some.`
      found.push({ check: 'L7', severity: 'error', message, path })
    }
    return found
  })
  // What a role without groups may not read has been said once.
  if (faults.length > 0 || Object.keys(roles).length === 0) return faults
  return [
    ...groups.flatMap((group) => forbiddenReads(group, topology)),
    ...forbiddenWrites(topology),
  ]
}

function groupExample({ services }: ResolvedTopology): string {
  return Object.values(services)[0]?.groupPrefix ?? 'my-service-'
}

function forbiddenReads(group: ConsumerGroup, { acls, principals }: ResolvedTopology): Finding[] {
  const readers = Object.values(principals).filter((principal) =>
    isAllowed(acls, principal, 'READ', 'GROUP', group.name),
  )
  return group.topics.flatMap((topic) => {
    if (readers.some((reader) => isAllowed(acls, reader, 'READ', 'TOPIC', topic))) return []
    const message = `No role may read "${topic}" with the group "${group.name}"; add the group and the topic to one that can read.`
    return [{ check: 'L7', severity: 'error', message, path: ['services', group.service] }]
  })
}

/** Of a topic that components or health checks write to; a destination is looked at where its rights are. */
function forbiddenWrites({ topics, acls, principals }: ResolvedTopology): Finding[] {
  const users = Object.values(principals)
  return topics.flatMap(({ name, kind, producers, declaredAt: path }) => {
    const isWritten = producers.length > 0 || kind === 'health'
    if (!isWritten || users.some((user) => isAllowed(acls, user, 'WRITE', 'TOPIC', name))) return []
    const who = producers.length > 0 ? producers.join(', ') : 'the health check'
    const message = `No role may write to "${name}", and ${who} does; add the topic to one that can write.`
    return [{ check: 'L7', severity: 'error', message, path }]
  })
}
