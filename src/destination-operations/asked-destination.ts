import { notFound, OperationOutcomeError } from '@medplum/core'
import type { OperationRequest } from '../host/types.ts'
import type { DestinationRow } from '../outbox/destination-row.ts'
import { createJob, type Job, type NewJob } from '../outbox/jobs.ts'
import { destinationTypeName } from '../resources/type-names.ts'
import { errorOutcome } from '../rest/outcomes.ts'
import { unprocessable, type OperationInput } from '../topic-operations/operation-input.ts'
import { refusal } from '../resources/issue.ts'
import type { DestinationOperationParts } from './destination-operations.ts'

/** The destination that an operation is called on.
 *  @param actions what the caller must be allowed to do on it
 *  @throws OperationOutcomeError 401, 403, 404; 422 for one of best effort */
export async function askedDestination(
  { host, registry }: DestinationOperationParts,
  { id = '', principal }: OperationRequest,
  actions: readonly string[],
): Promise<DestinationRow> {
  const reference = `${destinationTypeName}/${id}`
  for (const action of actions) await host.authorize?.(principal, action, reference)
  // Another node may have answered a change just now.
  await registry.ensureFresh()
  const row = registry.destinations.get(reference)?.row
  if (!row) throw new OperationOutcomeError(notFound)
  if (row.kind === 'kafka-at-least-once') return row
  const text = 'A destination of best effort keeps nothing that could be sent again.'
  throw unprocessable(refusal('not-supported', text, `${destinationTypeName}.kind`))
}

export function maxPerSecondOf(
  input: OperationInput,
  { options }: DestinationOperationParts,
): number {
  return input.integer('maxPerSecond', 1, 100_000) ?? options.jobMaxPerSecond
}

/** @throws OperationOutcomeError 409 when one of the same kind is running */
export async function beginJob(
  { db, schema, lookForJobs }: DestinationOperationParts,
  job: NewJob,
): Promise<Job> {
  const begun = await createJob(db, schema, job)
  if (!begun) throw runningAlready(job.kind)
  lookForJobs()
  return begun
}

export function runningAlready(kind: string): OperationOutcomeError {
  const text = `A ${kind} of this destination is running; wait for its end, or end it by $cancel.`
  return new OperationOutcomeError(errorOutcome('conflict', 'conflict', text))
}
