import { OperationOutcomeError } from '@medplum/core'
import type { OperationOutcomeIssue } from '@medplum/fhirtypes'
import type { Change, SqlTx } from '../host/types.ts'
import { lockDestinations } from '../outbox/destination-locks.ts'
import type { NewDestination } from '../outbox/destination-row.ts'
import { putDestination, removeDestination } from '../outbox/destinations.ts'
import { recordRegistryChange } from '../outbox/registry-changes.ts'
import type { OutboxSchema } from '../outbox/schema.ts'
import { holdTopicUrls } from '../outbox/topic-holders.ts'
import { organizationOf } from '../resources/organization.ts'
import { destinationTypeName, topicTypeName } from '../resources/type-names.ts'
import type { Registry } from './registry.ts'

export function isOwnType(resourceType: string): boolean {
  return resourceType === topicTypeName || resourceType === destinationTypeName
}

/** Writes what a change of topics and destinations means for the outbox, in the transaction of that change.
 *  @returns moves of destinations, to be closed when every node knows of them
 *  @throws OperationOutcomeError 422 when a destination names a topic that does not exist, or a topic's url is taken */
export async function applyOwnTypes(
  changes: readonly Change[],
  tx: SqlTx,
  schema: OutboxSchema,
  registry: Pick<Registry, 'topicByUrl'>,
): Promise<readonly number[]> {
  const own = changes.filter(({ resourceType }) => isOwnType(resourceType))
  if (own.length === 0) return []
  const issues = await faultsOfOwnTypes(own, tx, schema, registry)
  if (issues.length > 0) {
    throw new OperationOutcomeError({
      resourceType: 'OperationOutcome',
      id: 'unprocessable-entity',
      issue: issues,
    })
  }
  const moves = await writeDestinations(own, tx, schema)
  await recordRegistryChange(tx, schema, [
    ...new Set(own.map(({ resourceType, id }) => `${resourceType}/${id}`)),
  ])
  return moves
}

/** In the order of the writes: a destination may go and come in one unit.
 *  @returns moves, as {@link applyOwnTypes} */
async function writeDestinations(
  own: readonly Change[],
  tx: SqlTx,
  schema: OutboxSchema,
): Promise<readonly number[]> {
  const writes = own.flatMap((change): (NewDestination | string)[] => {
    if (change.resourceType !== destinationTypeName) return []
    const reference = `${destinationTypeName}/${change.id}`
    return [change.interaction === 'delete' ? reference : destinationRow(change, reference)]
  })
  const removed = writes.filter((write) => typeof write === 'string')
  const put = writes.filter((write) => typeof write !== 'string')
  await lockDestinations(tx, schema, removed, put)
  const moves: number[] = []
  for (const write of writes) {
    if (typeof write === 'string') await removeDestination(tx, schema, write)
    else {
      const move = await putDestination(tx, schema, write)
      if (move !== undefined) moves.push(move)
    }
  }
  return moves
}

function destinationRow(change: Change, reference: string): NewDestination {
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

/** Topics whose url belongs to another one, and destinations whose topic is not there: neither in the registry nor in the same
 *  transaction, in whatever order its entries stand. */
async function faultsOfOwnTypes(
  own: readonly Change[],
  tx: SqlTx,
  schema: OutboxSchema,
  registry: Pick<Registry, 'topicByUrl'>,
): Promise<OperationOutcomeIssue[]> {
  const topics = new Map<string, string | undefined>()
  for (const { resourceType, id, current } of own) {
    if (resourceType !== topicTypeName) continue
    topics.set(`${topicTypeName}/${id}`, current && String(current['url']))
  }
  const gone = new Set(topics.keys())
  const written = new Set(topics.values())
  const holders = [...topics].flatMap(([reference, url]) =>
    url === undefined ? [] : [{ reference, url }],
  )
  const refused = topics.size === 0 ? [] : await holdTopicUrls(tx, schema, [...gone], holders)
  const issues = refused.map(({ url, holder }): OperationOutcomeIssue => ({
    severity: 'error',
    code: 'duplicate',
    details: { text: `The url ${url} belongs to ${holder}. Give this topic a url of its own.` },
    expression: [`${topicTypeName}.url`],
  }))
  for (const change of own) {
    if (change.resourceType !== destinationTypeName || !change.current) continue
    // A repeated write of what is there already: its topic may have gone since, which $status tells.
    if (change.current === change.previous) continue
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
