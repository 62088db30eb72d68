import { OperationOutcomeError } from '@medplum/core'
import type { ParametersParameter } from '@medplum/fhirtypes'
import { deliveredExtent } from '../outbox/delivered-pages.ts'
import { cancelJobs } from '../outbox/jobs.ts'
import { sendableTopics } from '../outbox/sendable-topics.ts'
import { refusal } from '../resources/issue.ts'
import { notImplemented } from '../rest/outcomes.ts'
import { refusedParameter, unprocessable } from '../topic-operations/operation-input.ts'
import { beginJob, maxPerSecondOf } from './asked-destination.ts'
import type { AskedOperation, DestinationOperationParts } from './destination-operations.ts'
import { jobParameter } from './job-parameter.ts'
import { selectionOf } from './selection-input.ts'

/** `$replay`. */
export async function replay(
  parts: DestinationOperationParts,
  { row: { destinationId }, input }: AskedOperation,
): Promise<ParametersParameter[]> {
  const selection = selectionOf(input, ['fromEvent', 'toEvent', 'from', 'to'])
  const maxPerSecond = maxPerSecondOf(input, parts)
  const { db, schema, options } = parts
  const extent = await deliveredExtent(db, schema, destinationId, {
    ...selection,
    topicIds: [...(await sendableTopics(db, schema, destinationId)).keys()],
    fromEvent: selection.fromEvent ?? 1,
    toEvent: selection.toEvent ?? Number.MAX_SAFE_INTEGER,
  })
  if (!extent) {
    const text =
      options.deliveredRetentionMs === 0
        ? 'This server does not keep what it has delivered; its option deliveredRetentionMs would. $backfill sends the current state.'
        : 'No delivered event of this range is kept.'
    const code = options.deliveredRetentionMs === 0 ? 'not-supported' : 'not-found'
    throw unprocessable(refusal(code, text, 'Parameters.parameter'))
  }
  const { count, firstEvent, lastEvent } = extent
  const job = await beginJob(parts, {
    destinationId,
    kind: 'replay',
    // What is delivered from now on is not meant.
    selection: { ...selection, fromEvent: firstEvent, toEvent: lastEvent },
    maxPerSecond,
    position: String(firstEvent - 1),
    total: count,
  })
  return [
    { name: 'firstEvent', valueDecimal: firstEvent },
    { name: 'lastEvent', valueDecimal: lastEvent },
    jobParameter(job),
  ]
}

/** `$backfill`. */
export async function backfill(
  parts: DestinationOperationParts,
  { row: { destinationId, topicUrl }, input }: AskedOperation,
): Promise<ParametersParameter[]> {
  const maxPerSecond = maxPerSecondOf(input, parts)
  if (!parts.host.references) {
    const text = 'This server cannot list its resources, which a backfill would read.'
    throw new OperationOutcomeError(notImplemented(text))
  }
  const job = await beginJob(parts, {
    destinationId,
    kind: 'backfill',
    selection: { topicUrl },
    maxPerSecond,
    position: '',
    total: undefined,
  })
  return [jobParameter(job)]
}

/** `$cancel`. */
export async function cancel(
  { db, schema, lookForJobs }: DestinationOperationParts,
  { row: { destinationId }, input }: AskedOperation,
): Promise<ParametersParameter[]> {
  const id = input.integer('job', 1, Number.MAX_SAFE_INTEGER)
  const ended = await cancelJobs(db, schema, destinationId, id === undefined ? id : String(id))
  lookForJobs()
  if (id !== undefined && ended.length === 0) {
    const text = `No job ${id} of this destination is running; $status shows the newest ones.`
    throw refusedParameter('job', 'not-found', text)
  }
  return ended.map(jobParameter)
}
