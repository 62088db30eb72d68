import { stringify } from 'yaml'
import type { Acl } from '../acl.ts'
import type { SaslMechanism } from '../document.ts'
import { byResource, pascalCase } from './acl-groups.ts'
import { shortDigest } from './short-digest.ts'

const resourceTypes: Readonly<Record<Acl['resourceType'], string>> = {
  TOPIC: 'topic',
  GROUP: 'group',
  TRANSACTIONAL_ID: 'transactionalId',
  CLUSTER: 'cluster',
}

/** A KafkaUser of Strimzi (0.49 and newer) for each principal. https://strimzi.io/docs/operators/latest/configuring#type-KafkaUser-reference */
export function strimziUsers(
  acls: readonly Acl[],
  clusterName: string,
  saslMechanism: SaslMechanism | undefined,
): string {
  const users = [...new Set(acls.map(({ principal }) => principal))]
  return users
    .map((user) => {
      const { name, userName } = kubernetesName(user.replace(/^User:/, ''))
      return stringify({
        apiVersion: 'kafka.strimzi.io/v1',
        kind: 'KafkaUser',
        metadata: { name, labels: { 'strimzi.io/cluster': clusterName } },
        spec: {
          ...userName,
          ...authentication(saslMechanism),
          authorization: {
            type: 'simple',
            acls: byResource(acls.filter(({ principal }) => principal === user)).map(
              ({ resourceType, resourceName, patternType, operations, host, permission }) => ({
                type: permission.toLowerCase(),
                host,
                resource: {
                  type: resourceTypes[resourceType],
                  ...(resourceType === 'CLUSTER'
                    ? {}
                    : {
                        name: resourceName,
                        patternType: patternType === 'PREFIXED' ? 'prefix' : 'literal',
                      }),
                },
                operations: operations.map(pascalCase),
              }),
            ),
          },
        },
      })
    })
    .join('---\n')
}

/** A name that Kubernetes takes, and where that is another one than the user's, the element that says so. */
function kubernetesName(user: string): {
  readonly name: string
  readonly userName?: { readonly userName: string }
} {
  if (
    user.length <= 253 &&
    /^[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*$/.test(user)
  ) {
    return { name: user }
  }
  const readable = user.toLowerCase().match(/[a-z0-9]+/g) ?? []
  const suffix = shortDigest(user)
  return {
    name: [...readable, suffix].join('-').slice(-253).replace(/^-/, ''),
    userName: { userName: user },
  }
}

/** Strimzi makes passwords for SCRAM-SHA-512 and certificates; of anybody else it only keeps the rights. */
function authentication(saslMechanism: SaslMechanism | undefined): object {
  return saslMechanism === 'SCRAM-SHA-512' ? { authentication: { type: 'scram-sha-512' } } : {}
}
