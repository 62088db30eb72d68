import type { BestEffortEvent } from '../delivery/best-effort.ts'
import type { Registry } from '../delivery/registry.ts'
import type { SqlTx } from '../host/types.ts'
import type { DestinationOverview, SettledState } from '../outbox/destination-overview.ts'
import type { OutboxSchema } from '../outbox/schema.ts'
import { readSettledSince } from '../outbox/settled-events.ts'
import { changeView } from './to-view.ts'
import type { TailEntry } from './views.ts'

/** Of one destination at one look; what is more is told by its counters. */
const maxEventsPerLook = 50
/** Destinations that are asked about at one look: those that have delivered most lately would drown the others anyway. */
const maxDestinationsPerLook = 100

export type TailListener = (entries: readonly TailEntry[]) => void

/** What is sent to Kafka, as it happens, for those who watch; nothing is read or kept while nobody does.
 *
 *  At least once is found in the outbox, whichever node has sent it. Best effort is nowhere but in the memory of its node: the tail has what this
 *  node hands over. */
export class NotificationTail {
  readonly #db: SqlTx
  readonly #schema: OutboxSchema
  readonly #registry: Pick<Registry, 'destinations'>
  readonly #listeners = new Set<TailListener>()
  #settled = new Map<number, { readonly eventNumber: number; readonly state: SettledState }>()
  #number = 0

  constructor(db: SqlTx, schema: OutboxSchema, registry: Pick<Registry, 'destinations'>) {
    this.#db = db
    this.#schema = schema
    this.#registry = registry
  }

  get isWatched(): boolean {
    return this.#listeners.size > 0
  }

  /** @returns ends it */
  subscribe(listener: TailListener): () => void {
    this.#listeners.add(listener)
    return () => {
      this.#listeners.delete(listener)
      if (!this.isWatched) this.#settled = new Map()
    }
  }

  /** Best-effort events were handed over. Returns at once. */
  handedOver(events: readonly BestEffortEvent[]): void {
    if (!this.isWatched) return
    const told = events.filter(({ error }) => error === undefined).slice(0, maxEventsPerLook)
    const rows = new Map(
      [...this.#registry.destinations.values()].map(({ row }) => [row.destinationId, row]),
    )
    this.#tell(
      told.flatMap(({ destinationId, topicUrl, event, at }) => {
        const row = rows.get(destinationId)
        const change = changeView({ ...event, topicUrl, at })
        return row ? [{ ...change, state: 'handed-over', ...destinationOf(row) }] : []
      }),
    )
  }

  /** The rows are as given now: tells what was settled since the look before. */
  async look(overviews: readonly DestinationOverview[]): Promise<void> {
    if (!this.isWatched) return
    const before = this.#settled
    this.#settled = new Map(
      overviews.map(({ destinationId, lastEventNumber, settled }) => [
        destinationId,
        { eventNumber: lastEventNumber, state: settled },
      ]),
    )
    const moved = overviews.flatMap(({ destinationId, lastEventNumber }) => {
      const known = before.get(destinationId)
      const isMoved = known !== undefined && known.eventNumber < lastEventNumber
      return isMoved ? [{ destinationId, settled: known.state }] : []
    })
    const rows = new Map(overviews.map((each) => [each.destinationId, each]))
    const since = moved.slice(0, maxDestinationsPerLook)
    const settled = await readSettledSince(this.#db, this.#schema, since, maxEventsPerLook)
    this.#tell(
      settled.flatMap((event) => {
        const row = rows.get(event.destinationId)
        return row
          ? [
              {
                ...changeView(event),
                state: 'delivered',
                ...destinationOf(row, event.organization),
              },
            ]
          : []
      }),
    )
  }

  #tell(entries: readonly Omit<TailEntry, 'number'>[]): void {
    if (entries.length === 0) return
    const numbered = entries.map((entry) => ({ number: ++this.#number, ...entry }))
    for (const listener of this.#listeners) listener(numbered)
  }
}

function destinationOf(
  {
    reference,
    organization = '',
  }: { readonly reference: string; readonly organization?: string | undefined },
  eventOrganization = organization,
): Pick<TailEntry, 'destination' | 'organization' | 'eventOrganization'> {
  return {
    destination: reference,
    ...(organization === '' ? {} : { organization }),
    ...(eventOrganization === '' ? {} : { eventOrganization }),
  }
}
