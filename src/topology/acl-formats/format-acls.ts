import type { Acl } from '../acl.ts'
import type { TopologyDocument } from '../document.ts'
import { kafkaAclsCommands } from './kafka-acls.ts'
import { strimziUsers } from './strimzi.ts'
import { terraformConfluent } from './terraform-confluent.ts'

/** Every format that rights can be written in. */
export const aclFormats = ['kafka-acls', 'terraform-confluent', 'strimzi', 'json'] as const
export type AclFormat = (typeof aclFormats)[number]

/** Rights as text for the tool that grants them. */
export function formatAcls(
  acls: readonly Acl[],
  format: AclFormat,
  { metadata, cluster }: TopologyDocument,
): string {
  switch (format) {
    case 'kafka-acls':
      return kafkaAclsCommands(acls)
    case 'terraform-confluent':
      return terraformConfluent(acls)
    case 'strimzi':
      return strimziUsers(acls, cluster?.name ?? metadata.name, cluster?.saslMechanism)
    case 'json':
      return `${JSON.stringify(acls, undefined, 2)}\n`
  }
}
