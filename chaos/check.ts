import { setTimeout as delay } from 'node:timers/promises'
import { Client } from 'pg'
import type { ChaosDestination, Turn } from './destinations.ts'
import type { Ledger, Violations } from './ledger.ts'
import { hotTypes, selects, type Version } from './topics.ts'
import { oversizedBytes } from './writers.ts'

/** A row of the history table. */
interface StoredVersion extends Version {
  readonly id: string
  readonly versionId: number
  readonly xid: bigint
  readonly writeId: string | undefined
  readonly bytes: number
}

/** What a destination must have got of a version. */
type Claim = 'must' | 'may' | 'must not'

/** Which of the destination's turns a version can have met, and what each says of it. */
export function claimOf(
  { turns }: { readonly turns: readonly Turn[] },
  version: Version & { readonly id: string; readonly versionId: number; readonly xid: bigint },
): Claim {
  const resource = `${version.type}/${version.id}`
  // Before the first turn nobody listens: index -1.
  let earliest = -1
  let latest = turns.length - 1
  for (const [index, { committedBefore, firstXidAfter }] of turns.entries()) {
    if (version.xid >= firstXidAfter) earliest = index
    const isBefore = version.versionId <= (committedBefore.get(resource) ?? 0)
    if (isBefore) latest = Math.min(latest, index - 1)
  }
  const possible = [undefined, ...turns.map(({ topic }) => topic)].slice(earliest + 1, latest + 2)
  const selected = possible.map((topic) => selects(topic, version))
  if (selected.every(Boolean)) return 'must'
  return selected.some(Boolean) ? 'may' : 'must not'
}

/** What the comparison found beside violations. */
export interface Checked {
  /** Events of all at-least-once destinations. */
  readonly events: number
  /** Versions that a destination had to get, by its id. */
  readonly matched: ReadonlyMap<string, number>
  readonly deadLetters: ReadonlyMap<string, number>
}

/** Compares what was read with what the server has committed. The history table decides, not the answers that clients got. */
export async function checkDeliveries(
  databaseUrl: string,
  destinations: readonly ChaosDestination[],
  ledgerOf: (destination: string) => Ledger,
  violations: Violations,
): Promise<Checked> {
  const client = new Client({ connectionString: databaseUrl })
  await client.connect()
  try {
    const dead = await readDeadLetters(client)
    const checks = destinations.map((destination) => {
      const deadLetters = dead.get(destination.id) ?? noDeadLetters
      return new DestinationCheck(destination, ledgerOf(destination.id), deadLetters, violations)
    })
    for (const type of hotTypes) {
      for (const id of await readIds(client, type)) {
        const versions = await readVersions(client, type, id)
        for (const check of checks) check.resource(`${type}/${id}`, versions)
      }
    }
    for (const check of checks) check.finish()
    return {
      events: checks.reduce((sum, { eventCount }) => sum + eventCount, 0),
      matched: new Map(checks.map(({ id, matchedCount }) => [id, matchedCount])),
      deadLetters: new Map(checks.map(({ id, deadCount }) => [id, deadCount])),
    }
  } finally {
    await client.end()
  }
}

interface DeadLetters {
  readonly versions: ReadonlySet<string>
  readonly eventNumbers: ReadonlySet<number>
}

const noDeadLetters: DeadLetters = { versions: new Set(), eventNumbers: new Set() }

/** One destination against the history. */
class DestinationCheck {
  readonly id: string
  eventCount = 0
  matchedCount = 0
  readonly #destination: ChaosDestination
  readonly #ledger: Ledger
  readonly #dead: DeadLetters
  readonly #violations: Violations
  readonly #seen = new Set<string>()

  constructor(
    destination: ChaosDestination,
    ledger: Ledger,
    dead: DeadLetters,
    violations: Violations,
  ) {
    this.id = destination.id
    this.#destination = destination
    this.#ledger = ledger
    this.#dead = dead
    this.#violations = violations
  }

  get deadCount(): number {
    return this.#dead.eventNumbers.size
  }

  get #isAtLeastOnce(): boolean {
    return this.#destination.kind === 'kafka-at-least-once'
  }

  /** @param versions all committed ones, in order */
  resource(resource: string, versions: readonly StoredVersion[]): void {
    this.#seen.add(resource)
    const read = this.#ledger.resources.get(resource)
    const highest = (read?.eventNumbers.length ?? 0) - 1
    const committed = new Map(versions.map((version) => [version.versionId, version]))
    for (const version of versions) {
      const { versionId } = version
      const name = `${this.id} ${resource}/_history/${versionId}`
      const claim = claimOf(this.#destination, version)
      if (claim === 'must') this.matchedCount++
      const isRead = read?.eventNumbers[versionId] !== undefined
      if (isRead) this.#checkRead(name, claim, version, read.writeIds[versionId])
      else if (claim === 'must') this.#checkMissing(name, resource, version, highest)
      if (this.#isAtLeastOnce && (isRead || claim === 'must')) this.eventCount++
    }
    read?.eventNumbers.forEach((eventNumber, versionId) => {
      if (committed.has(versionId)) return
      const name = `${this.id} ${resource}/_history/${versionId} #${String(eventNumber)}`
      this.#violations.add('ghosts', `${name} was never committed`)
    })
  }

  /** Numbers without a hole, except those of dead letters. */
  finish(): void {
    for (const resource of this.#ledger.resources.keys()) {
      if (this.#seen.has(resource)) continue
      this.#violations.add('ghosts', `${this.id} ${resource} was never committed`)
    }
    if (!this.#isAtLeastOnce) return
    for (let number = 1; number <= this.#ledger.highestNumber; number++) {
      const isDead = this.#dead.eventNumbers.has(number)
      const isRead = this.#ledger.isNumbered(number)
      if (isRead === isDead) {
        const what = isDead ? 'is a dead letter, too' : 'is missing'
        this.#violations.add('gaps', `${this.id} #${number} ${what}`)
      }
    }
  }

  #checkRead(
    name: string,
    claim: Claim,
    { writeId }: StoredVersion,
    readWriteId: string | undefined,
  ): void {
    if (claim === 'must not') this.#violations.add('ghosts', `${name} is not of its topic`)
    if (readWriteId !== undefined && readWriteId !== writeId) {
      this.#violations.add('ghosts', `${name} is of a write that was rolled back`)
    }
  }

  #checkMissing(name: string, resource: string, version: StoredVersion, highest: number): void {
    if (!this.#isAtLeastOnce) return
    const isDead = this.#dead.versions.has(`${resource}/_history/${version.versionId}`)
    if (isDead && version.bytes > oversizedBytes) return
    // What waited when the destination was deleted is gone with it, but nothing in front of what came.
    if (!this.#destination.state && version.versionId > highest) return
    this.#violations.add('lost', isDead ? `${name} is a dead letter without need` : name)
  }
}

async function readDeadLetters(client: Client): Promise<ReadonlyMap<string, DeadLetters>> {
  const { rows } = await client.query<{
    destination: string
    resource: string
    event_no: string
  }>(
    `select split_part(d.reference, '/', 2) as destination, l.event_no,
            l.resource_type || '/' || l.resource_id || '/_history/' || l.version_id as resource
       from topic_destination.dead_letter l join topic_destination.destination d on d.id = l.destination_id`,
  )
  const found = new Map<string, { versions: Set<string>; eventNumbers: Set<number> }>()
  for (const { destination, resource, event_no } of rows) {
    const letters = found.get(destination) ?? { versions: new Set(), eventNumbers: new Set() }
    found.set(destination, letters)
    letters.versions.add(resource)
    letters.eventNumbers.add(Number(event_no))
  }
  return found
}

async function readIds(client: Client, type: string): Promise<readonly string[]> {
  const { rows } = await client.query<{ id: string }>(
    'select id from fhir_resource where type = $1 order by id',
    [type],
  )
  return rows.map(({ id }) => id)
}

async function readVersions(
  client: Client,
  type: string,
  id: string,
): Promise<readonly StoredVersion[]> {
  const { rows } = await client.query<{
    version_id: number
    xid: string
    interaction: Version['interaction']
    is_active: boolean
    write_id: string | null
    bytes: number
  }>(
    `select version_id, xmin::text as xid,
            case when deleted then 'delete' when creates then 'create' else 'update' end as interaction,
            coalesce((content ->> 'active')::boolean, false) as is_active,
            content #>> '{identifier,0,value}' as write_id, coalesce(octet_length(content::text), 0) as bytes
       from fhir_resource_history
      where type = $1 and id = $2
      order by version_id`,
    [type, id],
  )
  return rows.map((row) => ({
    type,
    id,
    versionId: row.version_id,
    xid: BigInt(row.xid),
    interaction: row.interaction,
    isActive: row.is_active,
    writeId: row.write_id ?? undefined,
    bytes: row.bytes,
  }))
}

export interface StatusCheckParts {
  readonly destinations: readonly ChaosDestination[]
  readonly statusOf: (destination: ChaosDestination) => Promise<Readonly<Record<string, unknown>>>
  readonly ledgers: ReadonlyMap<string, Ledger>
  /** No node and no database session was ended. What a killed node knew of best effort is counted nowhere, so the sums are bounds then. */
  readonly isBestEffortExact: boolean
}

const standstillMs = 120_000

/** Waits until nothing waits any more, by $status.
 *  @throws when a queue is not empty and nothing has moved for two minutes */
export async function untilSettled(parts: StatusCheckParts): Promise<void> {
  for (const destination of parts.destinations) {
    const isAwaited = destination.kind === 'kafka-at-least-once' || parts.isBestEffortExact
    if (isAwaited && destination.state) await untilEmpty(destination, parts)
  }
}

async function untilEmpty(
  destination: ChaosDestination,
  { statusOf }: StatusCheckParts,
): Promise<void> {
  let settledCount = -1
  let movedAtMs = performance.now()
  for (;;) {
    const status = await statusOf(destination)
    const count = (name: string): number => Number(status[name] ?? 0)
    if (count('messagesQueued') + count('messagesInProcess') === 0) return
    const nowCount = count('messagesDelivered') + count('messagesLost') + count('messagesDead')
    if (nowCount !== settledCount) movedAtMs = performance.now()
    settledCount = nowCount
    if (performance.now() - movedAtMs > standstillMs) {
      throw new Error(`Nothing moves in the queue of ${destination.id}: ${JSON.stringify(status)}`)
    }
    await delay(100)
  }
}

/** $status against what was read and what was matched. */
export async function checkStatus(
  { destinations, statusOf, ledgers, isBestEffortExact }: StatusCheckParts,
  { matched, deadLetters }: Checked,
  violations: Violations,
): Promise<void> {
  for (const destination of destinations) {
    if (!destination.state) continue
    const { id, kind } = destination
    const status = await statusOf(destination)
    const count = (name: string): number => Number(status[name])
    const read = ledgers.get(id)?.uniqueCount ?? 0
    const expect = (isRight: boolean, text: string): void => {
      if (!isRight) violations.add('miscounted', `${id} ${text}`)
    }
    const expectCount = (name: string, expected: number): void => {
      expect(count(name) === expected, `${name} is ${count(name)}, not ${expected}`)
    }
    if (kind === 'kafka-at-least-once') {
      expectCount('messagesDelivered', read)
      expectCount('messagesQueued', 0)
      expectCount('messagesInProcess', 0)
      expectCount('messagesDead', deadLetters.get(id) ?? 0)
      expectCount('messagesUndecided', 0)
      continue
    }
    const delivered = count('messagesDelivered')
    expect(delivered <= read, `counts ${delivered}, ${read} were read`)
    const told = delivered + count('messagesLost')
    const expected = matched.get(id) ?? 0
    const isTold = isBestEffortExact ? told === expected : told <= expected
    expect(isTold, `counts ${told} as delivered or lost, of ${expected}`)
  }
}
