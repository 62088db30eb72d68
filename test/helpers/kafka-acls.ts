import { setTimeout as delay } from 'node:timers/promises'
import {
  Admin,
  AclOperations,
  AclPermissionTypes,
  ResourcePatternTypes,
  ResourceTypes,
} from '@platformatic/kafka'

/** Something that a principal of the test broker may do. */
export interface Right {
  readonly operation: 'READ' | 'WRITE' | 'DESCRIBE'
  readonly resourceType: 'TOPIC' | 'GROUP' | 'TRANSACTIONAL_ID'
  readonly resourceName: string
  /** `PREFIXED`: every resource whose name begins with it.
   *  @default 'LITERAL' */
  readonly pattern?: 'LITERAL' | 'PREFIXED'
}

/** @param principal `User:alice`, `User:CN=…` */
export async function allow(
  bootstrapServers: string,
  principal: string,
  ...rights: readonly Right[]
): Promise<void> {
  const creations = rights.map((right) => aclOf(right, principal))
  const last = creations.at(-1)
  await withAdmin(bootstrapServers, async (admin) => {
    await admin.createAcls({ creations })
    if (last) await untilKnown(admin, last)
  })
}

/** The controller has a right at once; the broker that decides by it follows a little later. */
async function untilKnown(admin: Admin, filter: ReturnType<typeof aclOf>): Promise<void> {
  for (;;) {
    const resources = await admin.describeAcls({ filter })
    if (resources.length > 0) return
    await delay(10)
  }
}

export async function allowAlice(
  bootstrapServers: string,
  ...rights: readonly Right[]
): Promise<void> {
  await allow(bootstrapServers, alice, ...rights)
}

export async function forbidAlice(
  bootstrapServers: string,
  ...rights: readonly Right[]
): Promise<void> {
  const filters = rights.map((right) => aclOf(right, alice))
  await withAdmin(bootstrapServers, (admin) => admin.deleteAcls({ filters }))
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

const alice = 'User:alice'

function aclOf(
  { operation, resourceType, resourceName, pattern = 'LITERAL' }: Right,
  principal: string,
) {
  return {
    resourceType: ResourceTypes[resourceType],
    resourceName,
    resourcePatternType: ResourcePatternTypes[pattern],
    principal,
    host: '*',
    operation: AclOperations[operation],
    permissionType: AclPermissionTypes.ALLOW,
  }
}
