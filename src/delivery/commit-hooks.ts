import { randomUUID } from 'node:crypto'
import { TopicDestinationError } from '../errors.ts'
import type { Change, CommitHooks, CommitUnit, FhirHost, SqlTx } from '../host/types.ts'
import { enqueueEvents, parkUndecidedEvents, type NewEvent } from '../outbox/enqueue.ts'
import type { OutboxSchema } from '../outbox/schema.ts'
import { matchChanges, type ChangeMatch } from '../triggers/match-changes.ts'
import { applyOwnTypes, isOwnType } from './own-types.ts'
import type { BestEffortEvent } from './best-effort.ts'
import type { Registry } from './registry.ts'

export interface CommitHookParts {
  readonly schema: OutboxSchema
  readonly host: FhirHost
  readonly registry: Registry
  /** Called after COMMIT with what best-effort destinations are to get. Returns at once. */
  readonly deliverBestEffort: (events: readonly BestEffortEvent[]) => void
  /** Called after COMMIT with the topics that got new rows in the outbox. Returns at once. */
  readonly wakeLanes: (topicIds: ReadonlySet<number>) => void
  /** Resolves when every node knows of a committed change of topics or destinations. */
  readonly announceOwnTypes: () => Promise<void>
}

interface Outcome {
  readonly bestEffort: BestEffortEvent[]
  readonly topicIds: ReadonlySet<number>
  readonly hasOwnTypes: boolean
}

/** Match and enqueue before COMMIT; best effort, wake-up and announcement after it.
 *
 *  What a unit matched hangs on the unit itself: a retried attempt is another unit, a rolled-back one is forgotten with it. */
export function commitHooks(parts: CommitHookParts): CommitHooks {
  const outcomes = new WeakMap<CommitUnit, Outcome>()
  return {
    async beforeCommit(unit, tx) {
      await parts.registry.ensureFresh()
      const changes = unit.changes.filter(({ resourceType }) => !isOwnType(resourceType))
      const hasOwnTypes = changes.length < unit.changes.length
      if (hasOwnTypes) {
        const text = 'Topics and destinations are written in SQL transactions; see OwnTypesHost.'
        await applyOwnTypes(unit.changes, required(tx, text), parts.schema, parts.registry)
      }
      const matches = await matchChanges(parts.registry.index, changes, tx, (references, inTx) =>
        parts.host.read(references, inTx),
      )
      const sorted = sortMatches(matches, parts.registry)
      await enqueue(sorted, tx, parts.schema)
      outcomes.set(unit, {
        bestEffort: sorted.bestEffort,
        topicIds: new Set(sorted.events.map(({ topicId }) => topicId)),
        hasOwnTypes,
      })
    },

    async afterCommit(unit) {
      const outcome = outcomes.get(unit)
      if (!outcome) return
      outcomes.delete(unit)
      if (outcome.bestEffort.length > 0) parts.deliverBestEffort(outcome.bestEffort)
      if (outcome.topicIds.size > 0) parts.wakeLanes(outcome.topicIds)
      if (outcome.hasOwnTypes) await parts.announceOwnTypes()
    },

    afterRollback(unit) {
      outcomes.delete(unit)
    },
  }
}

interface SortedMatches {
  readonly events: NewEvent[]
  readonly undecided: (NewEvent & { error: string })[]
  readonly bestEffort: BestEffortEvent[]
}

/** @throws TopicDestinationError `KTD_NO_TRANSACTION`, so that the write fails rather than loses an event: an at-least-once destination
 *  may be there from a node that has SQL transactions */
async function enqueue(
  sorted: SortedMatches,
  given: SqlTx | undefined,
  schema: OutboxSchema,
): Promise<void> {
  if (sorted.events.length + sorted.undecided.length === 0) return
  const tx = required(given, 'An at-least-once destination gets events in SQL transactions only.')
  if (sorted.undecided.length > 0) await parkUndecidedEvents(tx, schema, sorted.undecided)
  // Last, so that the rows draw their ids as late as possible: after every row lock of the write, shortly before COMMIT.
  if (sorted.events.length > 0) await enqueueEvents(tx, schema, sorted.events)
}

function required(tx: SqlTx | undefined, text: string): SqlTx {
  if (tx) return tx
  throw new TopicDestinationError('KTD_NO_TRANSACTION', text)
}

/** One row per change and topic, whatever the number of destinations; one best-effort event per destination. */
function sortMatches(matches: readonly ChangeMatch[], registry: Registry): SortedMatches {
  const sorted: SortedMatches = { events: [], undecided: [], bestEffort: [] }
  for (const { change, fired, undecided } of matches) {
    if (fired.length === 0 && undecided.length === 0) continue
    const body = change.currentJson ?? (change.current ? JSON.stringify(change.current) : null)
    for (const topicUrl of fired) {
      const audience = registry.audience(topicUrl)
      if (!audience) continue
      const event = newEvent(change, audience.topicId, body)
      if (audience.hasAtLeastOnce) sorted.events.push(event)
      for (const { row } of audience.bestEffort) {
        sorted.bestEffort.push(bestEffortEvent(row.destinationId, event, undefined))
      }
    }
    for (const { topicUrl, error } of undecided) {
      const audience = registry.audience(topicUrl)
      if (!audience) continue
      const event = newEvent(change, audience.topicId, body)
      if (audience.hasAtLeastOnce) sorted.undecided.push({ ...event, error })
      for (const { row } of audience.bestEffort) {
        sorted.bestEffort.push(bestEffortEvent(row.destinationId, event, error))
      }
    }
  }
  return sorted
}

function newEvent(change: Change, topicId: number, body: string | null): NewEvent {
  return {
    topicId,
    interaction: change.interaction,
    resourceType: change.resourceType,
    resourceId: change.id,
    ...(change.versionId === undefined ? {} : { versionId: change.versionId }),
    ...(change.correlationId === undefined ? {} : { correlationId: change.correlationId }),
    ...(change.traceparent === undefined ? {} : { traceparent: change.traceparent }),
    body: change.interaction === 'delete' ? null : body,
  }
}

function bestEffortEvent(
  destinationId: number,
  event: NewEvent,
  error: string | undefined,
): BestEffortEvent {
  return { destinationId, eventId: randomUUID(), at: new Date(), event, error }
}
