import type { Acl } from '../acl.ts'

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

/** Letters, digits, "_" and "-"; other characters by their code, so that no two ACLs have the same label. */
function labelOf(acl: Acl): string {
  const { principal, permission, operation, resourceType, patternType, resourceName, host } = acl
  const text = [principal, permission, operation, resourceType, patternType, resourceName, host]
    .map((part) => part.replaceAll(/[^A-Za-z0-9-]/g, escaped))
    .join('__')
  return /^[A-Za-z_]/.test(text) ? text : `_${text}`
}

function escaped(character: string): string {
  const known: Readonly<Record<string, string>> = { '.': '_', ':': '-', '*': 'any', _: '_' }
  return known[character] ?? `x${character.charCodeAt(0).toString(16)}`
}

function literal(text: string): string {
  return JSON.stringify(text).replaceAll('${', '$${').replaceAll('%{', '%%{')
}
