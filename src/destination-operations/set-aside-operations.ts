import { OperationOutcomeError } from '@medplum/core'
import type { ParametersParameter } from '@medplum/fhirtypes'
import type { Principal } from '../host/types.ts'
import { countDeadLetters, discardDeadLetters } from '../outbox/dead-letters.ts'
import type { DestinationRow } from '../outbox/destination-row.ts'
import type { JobSelection } from '../outbox/jobs.ts'
import { sharersOfUndecided } from '../outbox/undecided-counts.ts'
import type { UndecidedOfDestination } from '../outbox/undecided-selection.ts'
import { errorOutcome } from '../rest/outcomes.ts'
import type { OperationInput } from '../topic-operations/operation-input.ts'
import { beginJob, maxPerSecondOf, runningAlready } from './asked-destination.ts'
import type { AskedOperation, DestinationOperationParts } from './destination-operations.ts'
import { jobParameter } from './job-parameter.ts'
import { selectionOf, undecidedOf } from './selection-input.ts'

/** `$redrive`: of dead letters, and of events that nobody could decide. */
export async function redrive(
  parts: DestinationOperationParts,
  { row, input, principal }: AskedOperation,
): Promise<ParametersParameter[]> {
  const wanted = wantedOf(input, row)
  const isDecided = input.boolean('decide') ?? true
  const maxPerSecond = maxPerSecondOf(input, parts)
  const { db, schema, undecided } = parts
  if (wanted.undecided) await authorizeSharers(parts, row, principal)
  const { destinationId } = row
  const total = wanted.deadLetters
    ? await countDeadLetters(db, schema, destinationId, wanted.deadLetters)
    : 0
  const job =
    wanted.deadLetters && total > 0
      ? await beginJob(parts, {
          destinationId,
          kind: 'redrive',
          selection: wanted.deadLetters,
          maxPerSecond,
          position: '0',
          total,
        })
      : undefined
  const counts = { fired: 0, notFired: 0, undecided: 0 }
  if (wanted.undecided && isDecided) Object.assign(counts, await undecided.decide(wanted.undecided))
  else if (wanted.undecided) counts.fired = (await undecided.release(wanted.undecided)).released
  return [
    { name: 'deadLetters', valueDecimal: total },
    { name: 'undecidedSent', valueDecimal: counts.fired },
    { name: 'undecidedNotFired', valueDecimal: counts.notFired },
    { name: 'undecidedKept', valueDecimal: counts.undecided },
    ...(job ? [jobParameter(job)] : []),
  ]
}

/** `$discard`: of the same. */
export async function discard(
  parts: DestinationOperationParts,
  { row, input, principal }: AskedOperation,
): Promise<ParametersParameter[]> {
  const wanted = wantedOf(input, row)
  const { inTransaction, schema, undecided } = parts
  if (wanted.undecided) await authorizeSharers(parts, row, principal)
  const { deadLetters } = wanted
  const dead = deadLetters
    ? await inTransaction((tx) => discardDeadLetters(tx, schema, row.destinationId, deadLetters))
    : 0
  if (dead === 'running') throw runningAlready('redrive')
  if (dead === 'sending') throw pageUnderWay()
  const discarded = wanted.undecided ? (await undecided.discard(wanted.undecided)).discarded : 0
  return [
    { name: 'deadLetters', valueDecimal: dead },
    { name: 'undecided', valueDecimal: discarded },
  ]
}

/** Whether Kafka has it is asked when the destination is delivered again. */
function pageUnderWay(): OperationOutcomeError {
  const text =
    'A page of a cancelled redrive is on its way to Kafka; repeat this in a moment. While the destination is off, it has to be active first.'
  return new OperationOutcomeError(errorOutcome('conflict', 'conflict', text))
}

interface Wanted {
  readonly deadLetters: JobSelection | undefined
  readonly undecided: UndecidedOfDestination | undefined
}

function wantedOf(input: OperationInput, row: DestinationRow): Wanted {
  const selection = selectionOf(input, ['fromEvent', 'toEvent', 'from', 'to', 'error'])
  const of = input.code('of', ['dead-letters', 'undecided'])
  return {
    deadLetters: of === 'undecided' ? undefined : selection,
    undecided: of === 'dead-letters' ? undefined : undecidedOf(row, selection),
  }
}

/** Undecided events belong to a queue: what becomes of them concerns every destination that reads it, or would get it if it came back.
 *  @throws OperationOutcomeError 401, 403 */
async function authorizeSharers(
  { host, db, schema }: DestinationOperationParts,
  { destinationId }: DestinationRow,
  principal: Principal | undefined,
): Promise<void> {
  for (const reference of await sharersOfUndecided(db, schema, destinationId)) {
    await host.authorize?.(principal, 'update', reference)
  }
}
