import type { Acl } from '../acl.ts'

/** ACLs of one principal and resource, which differ in the operation alone. */
export type AclGroup = Omit<Acl, 'operation'> & { readonly operations: readonly Acl['operation'][] }

export function byResource(acls: readonly Acl[]): AclGroup[] {
  const groups = new Map<string, AclGroup>()
  for (const { operation, ...rest } of acls) {
    const { principal, permission, host, resourceType, patternType, resourceName } = rest
    const key = [principal, permission, host, resourceType, patternType, resourceName].join(' ')
    const operations = groups.get(key)?.operations ?? []
    groups.set(key, { ...rest, operations: [...operations, operation] })
  }
  return [...groups.values()]
}

/** `ALTER_CONFIGS` as `AlterConfigs`. */
export function pascalCase(constant: string): string {
  return constant
    .split('_')
    .map((word) => word.slice(0, 1) + word.slice(1).toLowerCase())
    .join('')
}
