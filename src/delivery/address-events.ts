import { randomUUID } from 'node:crypto'
import type { Change } from '../host/types.ts'
import type { NewEvent, NewUndecidedEvent } from '../outbox/enqueue.ts'
import type { UndecidedTopic } from '../triggers/topic-index.ts'
import type { ChangeMatch } from '../triggers/match-changes.ts'
import type { Membership } from '../triggers/organizations.ts'
import { backoffMs } from '../backoff.ts'
import type { BestEffortEvent } from './best-effort.ts'
import type { Audience } from './audiences.ts'

export interface AddressedUndecided extends NewUndecidedEvent {
  readonly topicUrl: string
}

/** What matched, by the way it goes. */
export interface AddressedEvents {
  readonly events: NewEvent[]
  readonly undecided: AddressedUndecided[]
  readonly bestEffort: BestEffortEvent[]
}

/** One row per change and queue, whatever the number of destinations; one best-effort event per destination.
 *
 *  @param audiencesOf Who listens to a topic.
 *  @param memberships Of the changes for which an audience asks. */
export function addressEvents(
  matches: readonly ChangeMatch[],
  audiencesOf: (topicUrl: string) => readonly Audience[],
  memberships: ReadonlyMap<Change, Membership>,
): AddressedEvents {
  const addressed: AddressedEvents = { events: [], undecided: [], bestEffort: [] }
  for (const { change, fired, undecided } of matches) {
    if (fired.length === 0 && undecided.length === 0) continue
    const address = new Address(addressed, change, memberships.get(change))
    for (const url of fired) for (const audience of audiencesOf(url)) address.add(audience, url)
    for (const topic of undecided) {
      for (const audience of audiencesOf(topic.topicUrl)) {
        address.add(audience, topic.topicUrl, topic)
      }
    }
  }
  return addressed
}

class Address {
  readonly #addressed: AddressedEvents
  readonly #change: Change
  readonly #membership: Membership | undefined
  readonly #body: string | null

  constructor(addressed: AddressedEvents, change: Change, membership: Membership | undefined) {
    this.#addressed = addressed
    this.#change = change
    this.#membership = membership
    const text = change.currentJson ?? (change.current ? JSON.stringify(change.current) : null)
    this.#body = change.interaction === 'delete' ? null : text
  }

  /** @param undecided the criteria could not be decided */
  add(audience: Audience, topicUrl: string, undecided?: UndecidedTopic): void {
    if (!this.#isWanted(audience)) return
    const membership = audience.organizations.length > 0 ? this.#membership : undefined
    const error = undecided?.error ?? membership?.error
    const event = newEvent(this.#change, audience, this.#body)
    if (audience.hasAtLeastOnce) {
      if (error === undefined) this.#addressed.events.push(event)
      else {
        const { previous } = this.#change
        this.#addressed.undecided.push({
          ...event,
          topicUrl,
          error,
          criteria: audience.criteria,
          ...(previous === undefined ? {} : { previous }),
          // Either of them may decide: a criteria that is false, or an organization that is not the one.
          ...(undecided?.isTransient === true || membership?.isTransient === true
            ? { retryInMs: backoffMs(1) }
            : {}),
        })
      }
    }
    for (const { row } of audience.bestEffort) {
      this.#addressed.bestEffort.push({
        destinationId: row.destinationId,
        topicUrl,
        eventId: randomUUID(),
        at: event.at ?? new Date(),
        event,
        error,
      })
    }
  }

  /** An organization that is not known must not lose the event: it is undecided then. */
  #isWanted({ organizations }: Audience): boolean {
    const membership = this.#membership
    if (membership?.error !== undefined) return true
    return organizations.every((wanted) => membership?.organizations.has(wanted) ?? false)
  }
}

function newEvent(change: Change, { topicId, moves }: Audience, body: string | null): NewEvent {
  return {
    topicId,
    interaction: change.interaction,
    resourceType: change.resourceType,
    resourceId: change.id,
    ...(change.versionId === undefined ? {} : { versionId: change.versionId }),
    ...(change.correlationId === undefined ? {} : { correlationId: change.correlationId }),
    ...(change.traceparent === undefined ? {} : { traceparent: change.traceparent }),
    ...(change.at === undefined ? {} : { at: change.at }),
    ...(moves.length === 0 ? {} : { knownMoves: moves }),
    body,
  }
}
