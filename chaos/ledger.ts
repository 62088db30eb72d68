/** One notification as it was read from Kafka. */
export interface Notification {
  /** Id of the destination. */
  readonly destination: string
  readonly eventNumber: number
  /** `Patient/p1`. */
  readonly resource: string
  readonly versionId: number
  /** Of the write that made the version; undefined where the notification carries no resource. */
  readonly writeId: string | undefined
  /** Record key. */
  readonly key: string | undefined
  /** Within one stream the versions of a resource must rise: a Kafka topic, and for best effort one of one node. */
  readonly stream: string
  /** When the version was written, in ms since the epoch; undefined where the notification carries no resource. */
  readonly writtenAtMs: number | undefined
}

/** What was read for one resource: index is the version. */
export interface ReadVersions {
  readonly eventNumbers: (number | undefined)[]
  readonly writeIds: (string | undefined)[]
}

interface Last {
  readonly versionId: number
  readonly eventNumber: number
}

export const kinds = ['lost', 'doubled', 'misordered', 'gaps', 'ghosts', 'miscounted'] as const
export type ViolationKind = (typeof kinds)[number]

/** How often each promise was broken, and the first few cases by their ids. */
export class Violations {
  readonly counts: Record<ViolationKind, number> = {
    lost: 0,
    doubled: 0,
    misordered: 0,
    gaps: 0,
    ghosts: 0,
    miscounted: 0,
  }
  readonly #examples = new Map<ViolationKind, string[]>()

  add(kind: ViolationKind, example: string): void {
    this.counts[kind]++
    const examples = this.#examples.get(kind) ?? []
    this.#examples.set(kind, examples)
    if (examples.length < 3) examples.push(`${kind}: ${example}`)
  }

  get examples(): readonly string[] {
    return [...this.#examples.values()].flat()
  }
}

/** Everything that was read, by destination. */
export class Ledgers {
  readonly violations: Violations = new Violations()
  readonly #all = new Map<string, Ledger>()

  get all(): ReadonlyMap<string, Ledger> {
    return this.#all
  }

  /** Events read, doubles aside. */
  get eventCount(): number {
    return [...this.#all.values()].reduce((sum, { uniqueCount }) => sum + uniqueCount, 0)
  }

  of(destination: string): Ledger {
    const known = this.#all.get(destination)
    if (known) return known
    const isAtLeastOnce = !destination.startsWith('best-effort')
    const fresh = new Ledger(destination, this.violations, isAtLeastOnce)
    this.#all.set(destination, fresh)
    return fresh
  }
}

/** Everything that was read for one destination. */
export class Ledger {
  readonly destination: string
  readonly resources: Map<string, ReadVersions> = new Map()
  readonly #violations: Violations
  readonly #isAtLeastOnce: boolean
  readonly #last = new Map<string, Last>()
  /** Index is the event number. */
  readonly #timesNumbered: (number | undefined)[] = []
  #uniqueCount = 0
  #lastArrivalMs = 0
  /** Best effort: versions that came after a later one of the same resource from the same node. Counted, not judged: it is seen now and
   *  then when Kafka is killed. */
  reordered = 0
  /** Longest time without a notification while one was waiting, in ms. */
  maxSilenceMs = 0

  constructor(destination: string, violations: Violations, isAtLeastOnce: boolean) {
    this.destination = destination
    this.#violations = violations
    this.#isAtLeastOnce = isAtLeastOnce
  }

  /** Events read, doubles aside. */
  get uniqueCount(): number {
    return this.#uniqueCount
  }

  get highestNumber(): number {
    return Math.max(0, this.#timesNumbered.length - 1)
  }

  isNumbered(eventNumber: number): boolean {
    return this.#timesNumbered[eventNumber] !== undefined
  }

  add(notification: Notification, arrivedAtMs: number): void {
    const { resource, versionId, eventNumber, writeId, key } = notification
    const name = `${this.destination} ${resource}/_history/${versionId} #${eventNumber}`
    this.#noteArrival(notification, arrivedAtMs)
    if (key !== resource.slice(resource.indexOf('/') + 1)) {
      this.#violations.add('ghosts', `${name} has the key of another resource`)
    }
    const read = this.#resource(resource)
    const known = read.eventNumbers[versionId]
    if (known !== undefined) {
      this.#violations.add('doubled', name)
      if (known !== eventNumber && this.#isAtLeastOnce) {
        this.#violations.add('gaps', `${name} had the number ${known} before`)
      }
      return
    }
    read.eventNumbers[versionId] = eventNumber
    read.writeIds[versionId] = writeId
    this.#uniqueCount++
    this.#number(eventNumber, name)
    this.#order(notification, name)
  }

  #resource(resource: string): ReadVersions {
    const known = this.resources.get(resource)
    if (known) return known
    const fresh: ReadVersions = { eventNumbers: [], writeIds: [] }
    this.resources.set(resource, fresh)
    return fresh
  }

  #number(eventNumber: number, name: string): void {
    const times = (this.#timesNumbered[eventNumber] ?? 0) + 1
    this.#timesNumbered[eventNumber] = times
    if (times > 1 && this.#isAtLeastOnce) {
      this.#violations.add('gaps', `${name}: another event has that number`)
    }
  }

  #order({ stream, resource, versionId, eventNumber }: Notification, name: string): void {
    const place = `${stream} ${resource}`
    const last = this.#last.get(place)
    const isInOrder =
      !last ||
      (versionId > last.versionId && (!this.#isAtLeastOnce || eventNumber > last.eventNumber))
    if (!isInOrder && !this.#isAtLeastOnce) this.reordered++
    else if (!isInOrder) {
      this.#violations.add(
        'misordered',
        `${name} came after version ${last.versionId} #${last.eventNumber}`,
      )
    }
    if (!last || versionId > last.versionId) this.#last.set(place, { versionId, eventNumber })
  }

  #noteArrival({ writtenAtMs }: Notification, arrivedAtMs: number): void {
    if (writtenAtMs !== undefined) {
      const silenceMs = arrivedAtMs - Math.max(writtenAtMs, this.#lastArrivalMs)
      if (this.#lastArrivalMs > 0) this.maxSilenceMs = Math.max(this.maxSilenceMs, silenceMs)
    }
    this.#lastArrivalMs = arrivedAtMs
  }
}
