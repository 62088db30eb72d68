import { isAllowed, type AclOperation } from '../acl.ts'
import { TopologyError } from '../finding.ts'
import type { ResolvedTopology } from '../resolved-topology.ts'

/** One service, and with whose rights it writes and reads its health topic. */
export interface HealthSubject {
  readonly service: string
  readonly kafkaTopic: string
  /** Principals by their names in the file; undefined where nobody logs in. */
  readonly producer: string | undefined
  readonly consumer: string | undefined
  readonly group: string
  /** Whether a component of the service reads with that group. */
  readonly isGroupUsed: boolean
}

/** @param wanted names of services; undefined: every one with a health topic
 *  @param usesLogin whether the cluster knows principals
 *  @throws {@link TopologyError} when a service is not there or has no health topic, or its principal cannot be told */
export function healthSubjects(
  topology: ResolvedTopology,
  wanted: readonly string[] | undefined,
  usesLogin: boolean,
): HealthSubject[] {
  const { services, groups } = topology
  const withHealth = Object.keys(services).filter((name) => services[name]?.health !== undefined)
  const subjects = (wanted ?? withHealth).map((service): HealthSubject => {
    const entry = Object.hasOwn(services, service) ? services[service] : undefined
    if (!entry) {
      const known = Object.keys(services).join(', ')
      throw new TopologyError(`There is no service "${service}"; it is one of ${known}.`)
    }
    const { health: kafkaTopic, groupPrefix } = entry
    if (kafkaTopic === undefined) {
      throw new TopologyError(`The service "${service}" has no health topic; name it with health.`)
    }
    const group = groups.find((one) => one.service === service)?.name
    const who = (side: HealthSide): string | undefined =>
      usesLogin ? principalOf(topology, service, kafkaTopic, side) : undefined
    return {
      service,
      kafkaTopic,
      producer: who('producer'),
      consumer: who('consumer'),
      group: group ?? `${groupPrefix}health-check`,
      isGroupUsed: group !== undefined,
    }
  })
  if (subjects.length > 0) return subjects
  throw new TopologyError(
    'No service of the file has a health topic; name one with health, and add it to topics with role: health.',
  )
}

export type HealthSide = 'producer' | 'consumer'

const rights: Readonly<Record<HealthSide, AclOperation>> = { producer: 'WRITE', consumer: 'READ' }

/** Who the service names; else the one principal with the right. A file without roles leaves rights to others: the one principal then. */
function principalOf(
  { services, principals, roles, acls }: ResolvedTopology,
  service: string,
  kafkaTopic: string,
  side: HealthSide,
): string {
  const named = services[service]?.[side]
  if (named !== undefined) return named
  const mayDo = (user: string): boolean =>
    Object.keys(roles).length === 0 || isAllowed(acls, user, rights[side], 'TOPIC', kafkaTopic)
  const [first, other] = Object.keys(principals).filter((name) => mayDo(principals[name] ?? ''))
  if (first !== undefined && other === undefined) return first
  const why = first === undefined ? 'no principal' : 'more than one principal'
  const does = side === 'producer' ? 'write to' : 'read'
  throw new TopologyError(
    `The ${side} of the health topic of the service "${service}" cannot be told, because ${why} may ${does} "${kafkaTopic}"; name it as ${side} of the service.`,
  )
}
