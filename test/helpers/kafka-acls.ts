import {
  Admin,
  AclOperations,
  AclPermissionTypes,
  ResourcePatternTypes,
  ResourceTypes,
} from '@platformatic/kafka'

/** Something that `User:alice` of the test broker may do. */
export interface Right {
  readonly operation: 'READ' | 'WRITE' | 'DESCRIBE'
  readonly resourceType: 'TOPIC' | 'GROUP' | 'TRANSACTIONAL_ID'
  readonly resourceName: string
}

export async function allowAlice(
  bootstrapServers: string,
  ...rights: readonly Right[]
): Promise<void> {
  await withAdmin(bootstrapServers, (admin) => admin.createAcls({ creations: rights.map(aclOf) }))
}

export async function forbidAlice(
  bootstrapServers: string,
  ...rights: readonly Right[]
): Promise<void> {
  await withAdmin(bootstrapServers, (admin) => admin.deleteAcls({ filters: rights.map(aclOf) }))
}

async function withAdmin(
  bootstrapServers: string,
  work: (admin: Admin) => Promise<unknown>,
): Promise<void> {
  const admin = new Admin({ clientId: 'test-acls', bootstrapBrokers: [bootstrapServers] })
  try {
    await work(admin)
  } finally {
    await admin.close()
  }
}

function aclOf({ operation, resourceType, resourceName }: Right) {
  return {
    resourceType: ResourceTypes[resourceType],
    resourceName,
    resourcePatternType: ResourcePatternTypes.LITERAL,
    principal: 'User:alice',
    host: '*',
    operation: AclOperations[operation],
    permissionType: AclPermissionTypes.ALLOW,
  }
}
