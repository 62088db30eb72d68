import type { Acl } from '../acl.ts'
import { byResource, pascalCase } from './acl-groups.ts'

const resourceFlags: Readonly<Record<Acl['resourceType'], string>> = {
  TOPIC: '--topic',
  GROUP: '--group',
  TRANSACTIONAL_ID: '--transactional-id',
  CLUSTER: '--cluster',
}

/** A shell script with a call of Apache Kafka's kafka-acls for each resource of each principal. */
export function kafkaAclsCommands(acls: readonly Acl[]): string {
  const header = [
    '#!/bin/sh',
    '# Needs KAFKA_BROKERS, and ADMIN_CONFIG: a properties file of a principal that may alter the cluster.',
    'set -eu',
  ]
  const commands = byResource(acls).map(
    ({ principal, permission, host, operations, resourceType, resourceName, patternType }) => {
      const who = permission === 'ALLOW' ? 'allow' : 'deny'
      return [
        'kafka-acls.sh --bootstrap-server "$KAFKA_BROKERS" --command-config "$ADMIN_CONFIG" --add',
        `--${who}-principal ${quoted(principal)}`,
        ...(host === '*' ? [] : [`--${who}-host ${quoted(host)}`]),
        ...operations.map((operation) => `--operation ${pascalCase(operation)}`),
        resourceType === 'CLUSTER'
          ? resourceFlags.CLUSTER
          : `${resourceFlags[resourceType]} ${quoted(resourceName)} --resource-pattern-type ${patternType.toLowerCase()}`,
      ].join(' ')
    },
  )
  return [...header, ...commands, ''].join('\n')
}

function quoted(text: string): string {
  return `'${text.replaceAll("'", String.raw`'\''`)}'`
}
