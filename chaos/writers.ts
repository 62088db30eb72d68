import { setMaxListeners } from 'node:events'
import { setTimeout as delay } from 'node:timers/promises'
import { seededRandom } from '../test/helpers/seeded-random.ts'
import { withDeadline } from './deadline.ts'
import type { Nodes } from './nodes.ts'
import { Rest, type Answer, type Request } from './rest.ts'
import { hotTypes, type HotType } from './topics.ts'

const idsPerType = 100
/** A writer that has waited for so long goes on with its next request. */
const patienceMs = 5000
const longestRequestMs = 120_000
/** Larger than the limit of the destination `everything` (`oversizedBytes`). */
const largeText = 'x'.repeat(40_000)
export const oversizedBytes = 30_000

/** How the requests of all writers ended. What was committed is asked of the database. */
export interface WriteTally {
  /** Answered with success; a bundle counts once. */
  done: number
  /** Refused and rolled back, as was asked for or after a conflict. */
  rolledBack: number
  /** Refused because something was down. */
  refused: number
  /** Without an answer. */
  unknown: number
  /** Answers that nothing here can cause. */
  readonly unexpected: string[]
}

interface Resource {
  readonly resourceType: HotType
  readonly id: string
  readonly [element: string]: unknown
}

interface Operation {
  readonly name: string
  readonly weight: number
  readonly request: (make: Maker) => Request
}

const staleVersion = 'W/"0"'

/** What writers do, and how often. */
const operations: readonly Operation[] = [
  { name: 'put', weight: 40, request: (make) => put(make.resource()) },
  { name: 'patch', weight: 15, request: (make) => patch(make) },
  { name: 'delete', weight: 10, request: (make) => ({ method: 'DELETE', path: make.path() }) },
  { name: 'bundle', weight: 20, request: (make) => bundle(make.entries()) },
  {
    name: 'bundle whose last entry fails',
    weight: 8,
    request: (make) => {
      const last = make.resource()
      const request = { ...entry(last).request, ifMatch: staleVersion }
      return bundle([...make.entries(last), { resource: last, request }])
    },
  },
  {
    name: 'If-Match of another version',
    weight: 5,
    request: (make) => ({ ...put(make.resource()), headers: { 'if-match': staleVersion } }),
  },
  { name: 'oversized', weight: 0.1, request: (make) => put(make.oversized()) },
]

function put(resource: Resource): Request {
  return { method: 'PUT', path: pathOf(resource), body: resource }
}

function patch(make: Maker): Request {
  return {
    method: 'PATCH',
    path: make.path(),
    headers: { 'content-type': 'application/json-patch+json' },
    body: [{ op: 'replace', path: '/identifier/0/value', value: make.writeId() }],
  }
}

function bundle(entries: readonly object[]): Request {
  return {
    method: 'POST',
    path: '',
    body: { resourceType: 'Bundle', type: 'transaction', entry: entries },
  }
}

function entry(resource: Resource) {
  return { resource, request: { method: 'PUT', url: pathOf(resource).slice(1) } }
}

function pathOf({ resourceType, id }: { resourceType: string; id: string }): string {
  return `/${resourceType}/${id}`
}

/** Draws resources. Every version that is written carries a write id of its own. */
class Maker {
  readonly #random: () => number
  readonly #name: string
  readonly #bundleEntries: number
  #writes = 0

  constructor(random: () => number, name: string, bundleEntries: number) {
    this.#random = random
    this.#bundleEntries = bundleEntries
    this.#name = name
  }

  writeId(): string {
    return `${this.#name}-${++this.#writes}`
  }

  path(): string {
    return pathOf(this.#target())
  }

  resource(): Resource {
    const { resourceType, id } = this.#target()
    const common = { resourceType, id, identifier: [{ value: this.writeId() }] }
    switch (resourceType) {
      case 'Patient':
        return { ...common, active: this.#random() < 0.5 }
      case 'Observation':
        return { ...common, status: 'final', code: { text: 'pulse' } }
      case 'Basic':
        return { ...common, code: { text: 'note' } }
    }
  }

  oversized(): Resource {
    const id = `b${Math.floor(this.#random() * idsPerType)}`
    const identifier = [{ value: this.writeId() }]
    return { resourceType: 'Basic', id, identifier, code: { text: largeText } }
  }

  /** Entries about different resources, none of them about `other`. */
  entries(other?: Resource): object[] {
    const entries = new Map<string, object>()
    const count = 2 + Math.floor(this.#random() * (this.#bundleEntries - 1))
    for (let index = 0; index < count; index++) {
      const resource = this.resource()
      const path = pathOf(resource)
      if (other && path === pathOf(other)) continue
      const isDelete = this.#random() < 0.15
      entries.set(
        path,
        isDelete ? { request: { method: 'DELETE', url: path.slice(1) } } : entry(resource),
      )
    }
    // Most of them in one order: large ones that lock in any order would only wait for each other.
    const paths = [...entries.keys()]
    if (this.#random() < 0.9) paths.sort()
    return paths.map((path) => entries.get(path) as object)
  }

  #target(): { resourceType: HotType; id: string } {
    const resourceType = hotTypes[Math.floor(this.#random() * hotTypes.length)] ?? 'Basic'
    const id = `${resourceType.charAt(0).toLowerCase()}${Math.floor(this.#random() * idsPerType)}`
    return { resourceType, id }
  }
}

export interface WritersOptions {
  readonly seed: number
  /** Requests a second of all writers together. */
  readonly ratePerSecond: number
  readonly connections: number
  /** Most resources that a transaction bundle writes. */
  readonly bundleEntries: number
}

/** Clients that write over REST to all nodes until they are stopped. */
export class Writers {
  readonly tally: WriteTally = { done: 0, rolledBack: 0, refused: 0, unknown: 0, unexpected: [] }
  readonly #nodes: Nodes
  readonly #rest = new Rest(longestRequestMs)
  /** Requests that a writer has given up waiting for, too. */
  readonly #sent = new Set<Promise<unknown>>()
  readonly #options: WritersOptions
  readonly #stopping = new AbortController()
  readonly #running: Promise<unknown>
  #nextAtMs = performance.now()

  constructor(nodes: Nodes, options: WritersOptions) {
    this.#nodes = nodes
    this.#options = options
    // One for each writer.
    setMaxListeners(options.connections, this.#stopping.signal)
    const writers = Array.from({ length: options.connections }, (_, index) => index)
    this.#running = Promise.all(writers.map(async (index) => this.#write(index)))
  }

  /** Resolves when no request is under way any more: one without an answer could still be carried out, behind everything that is
   *  checked. A node that is killed answers by the end of its connections. */
  async stop(): Promise<void> {
    this.#stopping.abort()
    await this.#running
    await Promise.allSettled(this.#sent)
    this.#rest.close()
  }

  async #write(index: number): Promise<void> {
    const random = seededRandom(this.#options.seed * 1000 + index)
    const make = new Maker(random, `w${index}`, this.#options.bundleEntries)
    for (;;) {
      await this.#turn()
      if (this.#stopping.signal.aborted) return
      const request = pick(random()).request(make)
      const urls = this.#nodes.urls()
      const url = urls[Math.floor(random() * urls.length)]
      if (url === undefined) continue
      try {
        const answer = await withDeadline(this.#send(url, request), patienceMs, 'an answer')
        this.#count(request, answer)
      } catch {
        this.tally.unknown++
      }
    }
  }

  #send(url: string, request: Request): Promise<Answer> {
    const sending = this.#rest.send(url, request)
    this.#sent.add(sending)
    const forget = (): void => {
      this.#sent.delete(sending)
    }
    sending.then(forget, forget)
    return sending
  }

  /** Waits for this request's place in the rate. */
  async #turn(): Promise<void> {
    const nowMs = performance.now()
    // What was missed while everything was down is not made up for.
    this.#nextAtMs = Math.max(this.#nextAtMs + 1000 / this.#options.ratePerSecond, nowMs - 100)
    const { signal } = this.#stopping
    await delay(Math.max(0, this.#nextAtMs - nowMs), undefined, { signal }).catch(() => undefined)
  }

  #count({ method, path }: Request, { status }: Answer): void {
    if (status >= 200 && status < 300) this.tally.done++
    else if ([404, 409, 410, 412].includes(status)) this.tally.rolledBack++
    else if (status >= 500) this.tally.refused++
    else if (this.tally.unexpected.length < 3) {
      this.tally.unexpected.push(`${method} ${path}: ${status}`)
    }
  }
}

const totalWeight = operations.reduce((sum, { weight }) => sum + weight, 0)

function pick(share: number): Operation {
  let rest = share * totalWeight
  const found = operations.find(({ weight }) => (rest -= weight) < 0)
  return found ?? (operations[0] as Operation)
}
