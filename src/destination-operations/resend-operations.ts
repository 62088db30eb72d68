import { OperationOutcomeError } from '@medplum/core'
import type { OperationOutcomeIssue, ParametersParameter } from '@medplum/fhirtypes'
import { restOf } from '../delivery/resting-topics.ts'
import { deliveredExtent, type DeliveredExtent } from '../outbox/delivered-pages.ts'
import { lastEventNumber } from '../outbox/destinations.ts'
import { cancelJobs, type JobSelection } from '../outbox/jobs.ts'
import { sendableTopics } from '../outbox/sendable-topics.ts'
import { refusal } from '../resources/issue.ts'
import { destinationTypeName } from '../resources/type-names.ts'
import { notImplemented } from '../rest/outcomes.ts'
import { refusedParameter, unprocessable } from '../topic-operations/operation-input.ts'
import { outcomeParameter } from '../topic-operations/output.ts'
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
  // First: what is delivered from now on is not meant.
  const last = await lastEventNumber(db, schema, destinationId)
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
    selection: { ...selection, fromEvent: firstEvent, toEvent: lastEvent },
    maxPerSecond,
    position: String(firstEvent - 1),
    total: count,
  })
  return [
    { name: 'firstEvent', valueDecimal: firstEvent },
    { name: 'lastEvent', valueDecimal: lastEvent },
    jobParameter(job),
    ...outcomeParameter(missingIn(selection, extent, last)),
  ]
}

/** Whoever asks for a range believes that it comes whole.
 *  @param last number of the last event that was settled */
function missingIn(
  { fromEvent, toEvent, fromMs, toMs }: JobSelection,
  { count, firstEvent }: DeliveredExtent,
  last: number,
): readonly OperationOutcomeIssue[] {
  if (fromMs !== undefined || toMs !== undefined) return []
  const [from, to] = [fromEvent ?? firstEvent, Math.min(toEvent ?? last, last)]
  const missing = to - from + 1 - count
  if (missing <= 0) return []
  const text = `${missing} of the events ${from} to ${to} are not sent again: they are not kept (deliveredRetentionMs), were set aside, or are not of this destination any more.`
  return [remark(text)]
}

function remark(text: string): OperationOutcomeIssue {
  return { severity: 'warning', code: 'incomplete', details: { text } }
}

/** `$backfill`. */
export async function backfill(
  parts: DestinationOperationParts,
  { row: { destinationId, topicUrl }, input }: AskedOperation,
): Promise<ParametersParameter[]> {
  const { host, registry } = parts
  const maxPerSecond = maxPerSecondOf(input, parts)
  if (!host.references) {
    const text = 'This server cannot list its resources, which a backfill would read.'
    throw new OperationOutcomeError(notImplemented(text))
  }
  const topic = registry.topicByUrl(topicUrl)
  const rest = restOf(topicUrl, topic)
  if (rest !== undefined) {
    throw unprocessable(refusal('business-rule', rest, `${destinationTypeName}.topic`))
  }
  const job = await beginJob(parts, {
    destinationId,
    kind: 'backfill',
    selection: { topicUrl },
    maxPerSecond,
    position: '',
    total: undefined,
  })
  // It would end as done, and nobody would know why nothing came.
  const isWithoutChanges = topic !== undefined && registry.asksForPrevious(topic)
  return [jobParameter(job), ...outcomeParameter(isWithoutChanges ? [withoutChanges] : [])]
}

const withoutChanges = remark(
  'A criteria of the topic asks for %previous, which is empty in a backfill: what it selects only by a change is passed over.',
)

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
