import { aclKey, type Acl } from '../acl.ts'
import { shortDigest } from './short-digest.ts'

/** Resources of Terraform's provider confluentinc/confluent, whose configuration names the cluster (kafka_id, kafka_rest_endpoint, kafka_api_key).
 *  https://registry.terraform.io/providers/confluentinc/confluent/latest/docs/resources/confluent_kafka_acl */
export function terraformConfluent(acls: readonly Acl[]): string {
  return acls
    .map((acl) => {
      const attributes = {
        resource_type: acl.resourceType,
        resource_name: acl.resourceName,
        pattern_type: acl.patternType,
        principal: acl.principal,
        host: acl.host,
        operation: acl.operation,
        permission: acl.permission,
      }
      const width = Math.max(...Object.keys(attributes).map((name) => name.length))
      const lines = Object.entries(attributes).map(
        ([name, value]) => `  ${name.padEnd(width)} = ${literal(value)}\n`,
      )
      return `resource "confluent_kafka_acl" "${labelOf(acl)}" {\n${lines.join('')}}\n`
    })
    .join('\n')
}

/** Of letters, digits, "_" and "-". A name with other characters than those of most names ends in a digest, so that no two ACLs have the same label. */
function labelOf(acl: Acl): string {
  const { principal, permission, operation, resourceType, patternType, resourceName, host } = acl
  const user = principal.replace(/^User:/, '')
  const from = host === '*' ? 'any' : host
  const text = ['User', user, permission, operation, resourceType, patternType, resourceName, from]
    .map((part) => part.replaceAll(/[^A-Za-z0-9-]/g, '_'))
    .join('__')
  const isPlain = [user, resourceName, from].every((part) => /^[A-Za-z0-9.-]*$/.test(part))
  return isPlain ? text : `${text}__${shortDigest(aclKey(acl))}`
}

function literal(text: string): string {
  return JSON.stringify(text).replaceAll('${', '$${').replaceAll('%{', '%%{')
}
