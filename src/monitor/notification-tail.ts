import { randomUUID } from 'node:crypto'
import type { BestEffortEvent } from '../delivery/best-effort.ts'
import type { Registry } from '../delivery/registry.ts'
import type { SqlTx } from '../host/types.ts'
import type { DestinationOverview, SettledState } from '../outbox/destination-overview.ts'
import type { DestinationRow } from '../outbox/destination-row.ts'
import type { OutboxSchema } from '../outbox/schema.ts'
import { readSettledSince } from '../outbox/settled-events.ts'
import { changeView } from './to-view.ts'
import type { TailEntry } from './views.ts'

/** Of one destination at one look; what is more is told by its counters. */
const maxEventsPerLook = 50
/** Destinations that are asked about at one look: those that have delivered most lately would drown the others anyway. */
const maxDestinationsPerLook = 100

const rememberedEntries = 500
/** A reader that connects again comes within a few seconds. */
const rememberMs = 10_000

/** What has come since the call before. */
export interface TailNews {
  readonly entries: readonly TailEntry[]
  /** Where the tail stands now: `tail` goes on from here when it is given it. It is of one node and one start of it. Letters, digits, `-` and `.`. */
  readonly position: string
  /** Between the position that was given and these entries something may be missing. */
  readonly isGap: boolean
}

/** Called once at the start, with what was sent since the position that was given, and then for everything that is sent. */
export type TailListener = (news: TailNews) => void

/** What is sent to Kafka, as it happens, for those who watch; nothing is read or kept while nobody does, but for the moment in which a reader connects again.
 *
 *  At least once is found in the outbox, whichever node has sent it. Best effort is nowhere but in the memory of its node: the tail has what this
 *  node hands over. */
export class NotificationTail {
  readonly #db: SqlTx
  readonly #schema: OutboxSchema
  readonly #registry: Pick<Registry, 'destinations'>
  readonly #listeners = new Set<TailListener>()
  #settled = new Map<number, { readonly eventNumber: number; readonly state: SettledState }>()
  readonly #run = randomUUID()
  #number = 0
  #recent: TailEntry[] = []
  /** Entries after this number are remembered. */
  #forgotten = 0
  #isForgotten = true
  #rememberUntilMs = Number.NEGATIVE_INFINITY

  constructor(db: SqlTx, schema: OutboxSchema, registry: Pick<Registry, 'destinations'>) {
    this.#db = db
    this.#schema = schema
    this.#registry = registry
  }

  get isWatched(): boolean {
    return this.#listeners.size > 0 || performance.now() < this.#rememberUntilMs
  }

  /** @param after a position to go on from; absent or empty: from now on
   *  @returns ends it */
  subscribe(listener: TailListener, after = ''): () => void {
    if (!this.isWatched) this.#forget()
    this.#isForgotten = false
    this.#listeners.add(listener)
    listener(this.#since(after))
    return () => {
      this.#listeners.delete(listener)
      if (this.#listeners.size === 0) this.#rememberUntilMs = performance.now() + rememberMs
    }
  }

  get #position(): string {
    return `${this.#run}.${this.#number}`
  }

  #since(after: string): TailNews {
    const position = this.#position
    if (after === '') return { entries: [], position, isGap: false }
    const [run, text] = after.split('.')
    const number = Number(text)
    const isOurs = run === this.#run && number <= this.#number
    if (!isOurs) return { entries: [], position, isGap: true }
    const entries = this.#recent.filter((entry) => entry.number > number)
    return { entries, position, isGap: number < this.#forgotten }
  }

  /** What is sent from now on is seen by nobody, so that no position before it has what follows. */
  #forget(): void {
    if (this.#isForgotten) return
    this.#isForgotten = true
    this.#settled = new Map()
    this.#recent = []
    this.#forgotten = ++this.#number
  }

  /** Best-effort events were handed over. Returns at once. */
  handedOver(events: readonly BestEffortEvent[]): void {
    if (!this.isWatched) return
    const told = events.filter(({ error }) => error === undefined).slice(0, maxEventsPerLook)
    const rows = this.#rowsOf(new Set(told.map(({ destinationId }) => destinationId)))
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
    if (!this.isWatched) {
      this.#forget()
      return
    }
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

  /** Called for each write while somebody watches: there may be thousands of destinations. */
  #rowsOf(destinationIds: ReadonlySet<number>): ReadonlyMap<number, DestinationRow> {
    const rows = new Map<number, DestinationRow>()
    for (const { row } of this.#registry.destinations.values()) {
      if (rows.size === destinationIds.size) break
      if (destinationIds.has(row.destinationId)) rows.set(row.destinationId, row)
    }
    return rows
  }

  #tell(told: readonly Omit<TailEntry, 'number'>[]): void {
    if (told.length === 0) return
    const entries = told.map((entry) => ({ number: ++this.#number, ...entry }))
    this.#recent.push(...entries)
    for (const { number } of this.#recent.splice(0, this.#recent.length - rememberedEntries)) {
      this.#forgotten = number
    }
    const news = { entries, position: this.#position, isGap: false }
    for (const listener of this.#listeners) listener(news)
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
