import { TopicDestinationError } from '../errors.ts'
import type { CommitHooks, CommitUnit, FhirHost, SqlTx } from '../host/types.ts'
import { enqueueEvents } from '../outbox/enqueue.ts'
import { Telemetry, type WriteTelemetry } from '../observability/telemetry.ts'
import type { OutboxSchema } from '../outbox/schema.ts'
import type { AddressedEvents } from './address-events.ts'
import type { BestEffortEvent } from './best-effort.ts'
import { applyOwnTypes, isOwnType } from './own-types.ts'
import type { Registry } from './registry.ts'
import { selectEvents } from './select-events.ts'
import type { UndecidedParking } from './undecided-parking.ts'

export interface CommitHookParts {
  readonly schema: OutboxSchema
  readonly host: FhirHost
  readonly registry: Registry
  readonly parking: Pick<UndecidedParking, 'park'>
  /** Called after COMMIT with what best-effort destinations are to get. Returns at once. */
  readonly deliverBestEffort: (events: readonly BestEffortEvent[]) => void
  /** Called after COMMIT with the topics that got new rows in the outbox. Returns at once. */
  readonly wakeLanes: (topicIds: ReadonlySet<number>) => void
  /** Resolves when every node knows of a committed change of topics or destinations, and its moves are closed. */
  readonly announceOwnTypes: (moves: readonly number[]) => Promise<void>
  /** @default nobody is told */
  readonly telemetry?: Telemetry
}

interface Outcome {
  readonly bestEffort: BestEffortEvent[]
  readonly topicIds: ReadonlySet<number>
  readonly hasOwnTypes: boolean
  readonly moves: readonly number[]
  readonly telemetry: WriteTelemetry
}

/** Match and enqueue before COMMIT; best effort, wake-up and announcement after it.
 *
 *  What a unit matched hangs on the unit itself: a retried attempt is another unit, a rolled-back one is forgotten with it. */
export function commitHooks(parts: CommitHookParts): CommitHooks {
  const outcomes = new WeakMap<CommitUnit, Outcome>()
  const { telemetry: told = new Telemetry(parts.schema.name) } = parts
  return {
    async beforeCommit(unit, tx) {
      await parts.registry.ensureFresh()
      const changes = unit.changes.filter(({ resourceType }) => !isOwnType(resourceType))
      const hasOwnTypes = changes.length < unit.changes.length
      let moves: readonly number[] = []
      if (hasOwnTypes) {
        const text = 'Topics and destinations are written in SQL transactions; see OwnTypesHost.'
        moves = await applyOwnTypes(unit.changes, required(tx, text), parts.schema, parts.registry)
      }
      const telemetry = told.beginWrite(changes)
      try {
        const selected = await telemetry.match(() =>
          parts.registry.underOneView(() =>
            selectEvents(
              changes,
              unit.changes,
              tx,
              (references, inTx) => parts.host.read(references, inTx),
              parts.registry,
            ),
          ),
        )
        const addressed = inTrace(selected, telemetry.traceparent)
        await telemetry.enqueue(addressed, () => enqueue(addressed, tx, parts))
        outcomes.set(unit, {
          bestEffort: addressed.bestEffort,
          topicIds: new Set(addressed.events.map(({ topicId }) => topicId)),
          hasOwnTypes,
          moves,
          telemetry,
        })
      } catch (error) {
        telemetry.end(false)
        throw error
      }
    },

    async afterCommit(unit) {
      const outcome = outcomes.get(unit)
      if (!outcome) return
      outcomes.delete(unit)
      outcome.telemetry.end(true)
      if (outcome.bestEffort.length > 0) parts.deliverBestEffort(outcome.bestEffort)
      if (outcome.topicIds.size > 0) parts.wakeLanes(outcome.topicIds)
      if (outcome.hasOwnTypes) await parts.announceOwnTypes(outcome.moves)
    },

    afterRollback(unit) {
      outcomes.get(unit)?.telemetry.end(false)
      outcomes.delete(unit)
    },

    usesPrevious: (resourceType) =>
      isOwnType(resourceType) || parts.registry.usesPrevious(resourceType),
  }
}

/** The same events in the trace of this transaction, where it has one. */
function inTrace(addressed: AddressedEvents, traceparent: string | undefined): AddressedEvents {
  if (traceparent === undefined) return addressed
  const { events, undecided, bestEffort } = addressed
  return {
    events: events.map((event) => ({ ...event, traceparent })),
    undecided: undecided.map((event) => ({ ...event, traceparent })),
    bestEffort: bestEffort.map((each) => ({ ...each, event: { ...each.event, traceparent } })),
  }
}

/** Of at least one event.
 *  @throws TopicDestinationError `KTD_NO_TRANSACTION`, so that the write fails rather than loses an event: an at-least-once destination
 *  may be there from a node that has SQL transactions */
async function enqueue(
  { events, undecided }: AddressedEvents,
  given: SqlTx | undefined,
  { schema, parking }: CommitHookParts,
): Promise<void> {
  const tx = required(given, 'An at-least-once destination gets events in SQL transactions only.')
  if (undecided.length > 0) await parking.park(tx, undecided)
  // Last, so that the rows draw their ids as late as possible: after every row lock of the write, shortly before COMMIT.
  if (events.length > 0) await enqueueEvents(tx, schema, events)
}

function required(tx: SqlTx | undefined, text: string): SqlTx {
  if (tx) return tx
  throw new TopicDestinationError('KTD_NO_TRANSACTION', text)
}
