import { longestBackoffMs } from '../backoff.ts'
import type { Registry } from '../delivery/registry.ts'
import type { DestinationOverview } from '../outbox/destination-overview.ts'
import type { LaneView } from '../observability/module-metrics.ts'
import { waitingOf } from '../outbox/event-counts.ts'
import { nodeName } from '../outbox/node-presence.ts'
import { destinationState } from '../status/destination-state.ts'
import { diagnose, type Movement } from './health.ts'
import { rounded } from './rate.ts'
import {
  healths,
  type ChangeView,
  type DestinationView,
  type Health,
  type Summary,
} from './views.ts'

export interface ViewContext {
  /** Of this node; undefined while it is not present. */
  readonly nodeId: number | undefined
  readonly movement: Movement
  /** Of this node. */
  readonly lane: LaneView | undefined
}

export function destinationView(
  overview: DestinationOverview,
  registry: Registry,
  { nodeId, movement, lane }: ViewContext,
): DestinationView {
  const { reference, organization, leader, oldestEventAt, touchedAt } = overview
  const { deliveredPerSecond } = movement
  const { destination } = registry.destinations.get(reference) ?? {}
  const state = destinationState(registry, reference)
  return {
    reference,
    id: idOf(reference),
    kind: overview.kind,
    topicUrl: overview.topicUrl,
    ...(organization === undefined ? {} : { organization }),
    ...(destination ? { kafkaTopic: destination.kafkaTopic } : {}),
    status: state.status,
    ...diagnose(overview, state, movement),
    counts: {
      delivered: overview.delivered,
      failedAttempts: overview.failedAttempts,
      inProcess: overview.inProcess,
      queued: overview.queued,
      dead: overview.dead,
      undecided: overview.undecided,
      notKept: overview.notKept,
      notFired: overview.notFired,
      discarded: overview.discarded,
      lost: overview.lost,
    },
    ...(deliveredPerSecond === undefined ? {} : { deliveredPerSecond }),
    ...(oldestEventAt ? { oldestQueuedAt: oldestEventAt.toISOString() } : {}),
    errors: overview.lastErrors.map(({ message, timestamp }) => ({
      message,
      at: timestamp.toISOString(),
    })),
    ...(leader ? { leader: { name: leader.name, isThisNode: leader.nodeId === nodeId } } : {}),
    ...(lane
      ? {
          lane: {
            isConnected: lane.isConnected,
            failures: lane.failures,
            waitsUpToMs: lane.failures === 0 ? 0 : longestBackoffMs(lane.failures),
          },
        }
      : {}),
    startedAt: overview.startedAt.toISOString(),
    ...(touchedAt ? { lastActivityAt: touchedAt.toISOString() } : {}),
    lastEventNumber: overview.lastEventNumber,
    ...(overview.exactlyOnce === undefined ? {} : { exactlyOnce: overview.exactlyOnce }),
    ...(overview.exactlyOnceFault === undefined
      ? {}
      : { exactlyOnceFault: overview.exactlyOnceFault }),
    ...(overview.checkpointTopic === undefined
      ? {}
      : { checkpointTopic: overview.checkpointTopic }),
  }
}

/** `a` of `AidboxTopicDestination/a`. */
export function idOf(reference: string): string {
  return reference.slice(reference.indexOf('/') + 1)
}

interface Change {
  readonly topicUrl: string
  readonly interaction: string
  readonly resourceType: string
  readonly resourceId: string
  readonly versionId?: string | undefined
  readonly at: Date
}

export function changeView(change: Change): ChangeView {
  const { topicUrl, interaction, resourceType, resourceId, versionId, at } = change
  return {
    topicUrl,
    interaction,
    resource: `${resourceType}/${resourceId}`,
    ...(versionId === undefined ? {} : { versionId }),
    at: at.toISOString(),
  }
}

/** What is wrong first, of that what waits longest. What is well keeps its place. */
export function worstFirst(one: DestinationView, other: DestinationView): number {
  return (
    healths.indexOf(one.health) - healths.indexOf(other.health) ||
    (one.health === 'stuck' || one.health === 'behind'
      ? (one.oldestQueuedAt ?? '9').localeCompare(other.oldestQueuedAt ?? '9')
      : 0) ||
    one.id.localeCompare(other.id)
  )
}

export function summaryOf(destinations: readonly DestinationView[], nowMs: number): Summary {
  const total = (count: (view: DestinationView) => number): number =>
    destinations.reduce((sum, view) => sum + count(view), 0)
  const oldest = destinations.flatMap(({ oldestQueuedAt }) => oldestQueuedAt ?? []).toSorted()[0]
  return {
    at: new Date(nowMs).toISOString(),
    node: nodeName(),
    destinations: destinations.length,
    // One key for each health.
    byHealth: Object.fromEntries(
      healths.map((health) => [health, total((view) => (view.health === health ? 1 : 0))]),
    ) as Record<Health, number>,
    deliveredPerSecond: rounded(total(({ deliveredPerSecond }) => deliveredPerSecond ?? 0)),
    waiting: total(({ counts }) => waitingOf(counts)),
    dead: total(({ counts }) => counts.dead),
    undecided: total(({ counts }) => counts.undecided),
    lost: total(({ counts }) => counts.lost),
    ...(oldest === undefined ? {} : { oldestQueuedAt: oldest }),
  }
}
