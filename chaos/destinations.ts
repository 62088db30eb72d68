import type { Pool } from 'pg'
import { destinationResource } from '../test/helpers/topic-resources.ts'
import { untilDone } from './deadline.ts'
import type { Nodes } from './nodes.ts'
import { Rest } from './rest.ts'
import { topics, type TopicName } from './topics.ts'

export interface DestinationState {
  readonly kind: 'kafka-at-least-once' | 'kafka-best-effort'
  readonly topic: TopicName
  readonly kafkaTopic: string
  readonly content: 'full-resource' | 'id-only' | 'empty'
  readonly status: 'active' | 'off'
  /** Largest record in bytes; a larger one becomes a dead letter. */
  readonly maxRequestSize?: number
}

/** From when on a destination gets the events of a topic. The moment lies between the request and its answer:
 *
 *  - what had committed before the request was sent is not concerned: versions up to `committedBefore`;
 *  - what took its transaction number after the answer is: numbers from `firstXidAfter` on. */
export interface Turn {
  /** Undefined: it is gone. */
  readonly topic: TopicName | undefined
  /** Last committed version by `Type/id`. */
  readonly committedBefore: ReadonlyMap<string, number>
  readonly firstXidAfter: bigint
}

export interface ChaosDestination {
  readonly id: string
  readonly kind: DestinationState['kind']
  /** Undefined: it is gone. */
  state: DestinationState | undefined
  readonly turns: Turn[]
}

/** Writes topics and destinations through any node, and remembers for whom each moment is certain. */
export class Destinations {
  readonly all: ChaosDestination[] = []
  readonly #nodes: Nodes
  readonly #pool: Pool
  readonly #bootstrapServers: string
  /** Long: a request that is given up could be carried out later, behind the next one. */
  readonly #rest = new Rest(60_000)

  constructor(nodes: Nodes, pool: Pool, bootstrapServers: string) {
    this.#nodes = nodes
    this.#pool = pool
    this.#bootstrapServers = bootstrapServers
  }

  async putTopics(random: () => number): Promise<void> {
    for (const { resource } of Object.values(topics)) {
      await this.#request('PUT', `/AidboxSubscriptionTopic/${resource.id}`, resource, random)
    }
  }

  async put(id: string, state: DestinationState, random: () => number): Promise<void> {
    const known = this.all.find((each) => each.id === id)
    const destination = known ?? { id, kind: state.kind, state: undefined, turns: [] }
    const isTurn = destination.state?.topic !== state.topic
    // Also when the answer never comes: what it caused is somebody's then.
    if (!known) this.all.push(destination)
    await this.#turn(destination, isTurn ? state.topic : undefined, isTurn, async () =>
      this.#request('PUT', `/AidboxTopicDestination/${id}`, this.#resource(id, state), random),
    )
    destination.state = state
  }

  async remove(destination: ChaosDestination, random: () => number): Promise<void> {
    await this.#turn(destination, undefined, true, async () =>
      this.#request('DELETE', `/AidboxTopicDestination/${destination.id}`, undefined, random),
    )
    destination.state = undefined
  }

  /** $status by name. */
  async status(
    { id }: ChaosDestination,
    random: () => number,
  ): Promise<Readonly<Record<string, unknown>>> {
    const text = await this.#request(
      'GET',
      `/AidboxTopicDestination/${id}/$status`,
      undefined,
      random,
    )
    const { parameter } = JSON.parse(text) as {
      parameter: readonly { readonly name: string; readonly [value: string]: unknown }[]
    }
    return Object.fromEntries(
      parameter.map(({ name, ...values }) => [name, Object.values(values)[0]]),
    )
  }

  close(): void {
    this.#rest.close()
  }

  async #turn(
    destination: ChaosDestination,
    topic: TopicName | undefined,
    isTurn: boolean,
    request: () => Promise<unknown>,
  ): Promise<void> {
    const committedBefore = isTurn ? await this.#committedVersions() : undefined
    await request()
    if (!committedBefore) return
    destination.turns.push({ topic, committedBefore, firstXidAfter: await this.#nextXid() })
  }

  async #committedVersions(): Promise<ReadonlyMap<string, number>> {
    return untilDone('the committed versions', async () => {
      const { rows } = await this.#pool.query<{ resource: string; version_id: number }>(
        `select type || '/' || id as resource, version_id from fhir_resource`,
      )
      return new Map(rows.map(({ resource, version_id }) => [resource, version_id]))
    })
  }

  async #nextXid(): Promise<bigint> {
    return untilDone('the next transaction number', async () => {
      const { rows } = await this.#pool.query<{ xid: string }>(
        'select pg_snapshot_xmax(pg_current_snapshot())::text as xid',
      )
      return BigInt(rows[0]?.xid ?? '')
    })
  }

  /** Until a node has answered with success. Every request here can be repeated, and one whose first attempt was committed is answered at
   *  once: the pause is longer than a lease, so that its answer is as good as the first one's would have been. */
  async #request(
    method: string,
    path: string,
    body: object | undefined,
    random: () => number,
  ): Promise<string> {
    const attempt = async (): Promise<string> => {
      const urls = this.#nodes.urls()
      const url = urls[Math.floor(random() * urls.length)]
      if (url === undefined) throw new Error('no node runs')
      const answer = await this.#rest.send(url, {
        method,
        path,
        ...(body === undefined ? {} : { body }),
      })
      const isDone = answer.status >= 200 && answer.status < 300
      if (!isDone) throw new Error(`${answer.status} ${answer.text.slice(0, 300)}`)
      return answer.text
    }
    return untilDone(`${method} ${path}`, attempt)
  }

  #resource(id: string, state: DestinationState): object {
    const { kind, topic, kafkaTopic, content, status, maxRequestSize } = state
    const made = destinationResource(id, kind, topic, kafkaTopic, this.#bootstrapServers, {
      content,
      status,
      includeEntryAction: true,
      includeVersionIdInFocusReference: true,
    })
    if (maxRequestSize === undefined) return made
    const limit = { name: 'maxRequestSize', valueInteger: maxRequestSize }
    return { ...made, parameter: [...(made['parameter'] as object[]), limit] }
  }
}
