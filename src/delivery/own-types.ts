import { OperationOutcomeError } from '@medplum/core'
import type { OperationOutcomeIssue } from '@medplum/fhirtypes'
import type { Change, SqlTx } from '../host/types.ts'
import { putDestination, removeDestination } from '../outbox/destinations.ts'
import { recordRegistryChange } from '../outbox/registry-changes.ts'
import type { OutboxSchema } from '../outbox/schema.ts'
import { organizationOf } from '../resources/organization.ts'
import { destinationTypeName, topicTypeName } from '../resources/type-names.ts'
import type { Registry } from './registry.ts'

export function isOwnType(resourceType: string): boolean {
  return resourceType === topicTypeName || resourceType === destinationTypeName
}

/** Writes what a change of topics and destinations means for the outbox, in the transaction of that change.
 *  @throws OperationOutcomeError 422 when a destination names a topic that does not exist, or a topic's url is taken */
export async function applyOwnTypes(
  changes: readonly Change[],
  tx: SqlTx,
  schema: OutboxSchema,
  registry: Registry,
): Promise<void> {
  const own = changes.filter(({ resourceType }) => isOwnType(resourceType))
  if (own.length === 0) return
  const issues = faultsOfOwnTypes(own, registry)
  if (issues.length > 0) {
    throw new OperationOutcomeError({
      resourceType: 'OperationOutcome',
      id: 'unprocessable-entity',
      issue: issues,
    })
  }
  for (const change of own) {
    if (change.resourceType !== destinationTypeName) continue
    const reference = `${destinationTypeName}/${change.id}`
    if (change.interaction === 'delete') await removeDestination(tx, schema, reference)
    else await putDestination(tx, schema, destinationRow(change, reference))
  }
  await recordRegistryChange(tx, schema, [
    ...new Set(own.map(({ resourceType, id }) => `${resourceType}/${id}`)),
  ])
}

function destinationRow(change: Change, reference: string): Parameters<typeof putDestination>[2] {
  return {
    reference,
    kind:
      change.current?.['kind'] === 'kafka-best-effort'
        ? 'kafka-best-effort'
        : 'kafka-at-least-once',
    topicUrl: String(change.current?.['topic']),
    organization: organizationOf(change.current) ?? '',
  }
}

/** Checks against the registry and against the other changes of the same transaction, in whatever order its entries stand. */
function faultsOfOwnTypes(own: readonly Change[], registry: Registry): OperationOutcomeIssue[] {
  const written = new Map<string, string>()
  const gone = new Set<string>()
  const issues: OperationOutcomeIssue[] = []
  for (const change of own) {
    if (change.resourceType !== topicTypeName) continue
    const reference = `${topicTypeName}/${change.id}`
    gone.add(reference)
    if (!change.current) continue
    const url = String(change.current['url'])
    const holder = written.get(url) ?? registry.topicByUrl(url)?.reference
    if (holder !== undefined && holder !== reference && !gone.has(holder)) {
      issues.push({
        severity: 'error',
        code: 'duplicate',
        details: { text: `The url ${url} belongs to ${holder}. Give this topic a url of its own.` },
        expression: [`${topicTypeName}.url`],
      })
    }
    written.set(url, reference)
  }
  for (const change of own) {
    if (change.resourceType !== destinationTypeName || !change.current) continue
    const url = String(change.current['topic'])
    const stored = registry.topicByUrl(url)
    if (written.has(url) || (stored && !gone.has(stored.reference))) continue
    issues.push({
      severity: 'error',
      code: 'not-found',
      details: {
        text: `There is no ${topicTypeName} with the url ${url}. Create the topic first, or in the same bundle.`,
      },
      expression: [`${destinationTypeName}.topic`],
    })
  }
  return issues
}
