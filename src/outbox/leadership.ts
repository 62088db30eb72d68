import { Turns } from '../turns.ts'
import { presentNodes, type NodePresence } from './node-presence.ts'
import type { OutboxSchema } from './schema.ts'

export interface LedDestination {
  readonly destinationId: number
  readonly epoch: number
}

/** What a node has won, and what it has seen. */
export interface Election {
  readonly won: readonly LedDestination[]
  /** Free, and left to the other nodes. */
  readonly left: readonly number[]
  /** Nodes that are present and not leaving, this one included; 0 while this one is not present. */
  readonly nodes: number
}

export interface Share {
  /** Destinations that all nodes lead together. */
  readonly total: number
  /** Those that this node leads already. */
  readonly led: number
}

const nothing: Election = { won: [], left: [], nodes: 0 }

/** Which destinations this node leads: those whose row names it.
 *
 *  A destination is free when its row names nobody, or a node that is not present. Rows only choose a leader; that an old one which does
 *  not know yet does no harm is the work of the epoch, which rises with each leadership. */
export class Leadership {
  readonly #presence: NodePresence
  readonly #schema: OutboxSchema
  readonly #held = new Set<number>()
  /** Two elections at once would win the same destination twice. */
  readonly #turns = new Turns()

  constructor(presence: NodePresence, schema: OutboxSchema) {
    this.#presence = presence
    this.#schema = schema
    presence.onLost(() => {
      this.#held.clear()
    })
  }

  /** Tries to lead these destinations. Those led already, and those of other nodes, are left out. Resolves with none while
   *  this node is not present.
   *  @param share when given, this node takes no more than its equal part, rounded up */
  async tryLead(destinationIds: readonly number[], share?: Share): Promise<Election> {
    return this.#turns.take(() => this.#elect(destinationIds, share))
  }

  /** Gives one leadership up. Does not wait for a transaction that is changing the destination; the row names this node until the next
   *  election then, or until the node is gone. */
  async resign(destinationId: number): Promise<void> {
    await this.#turns.take(() => this.#resign(destinationId))
  }

  async #resign(destinationId: number): Promise<void> {
    const { nodeId, db } = this.#presence
    // Not held in any case: a presence that is late with its answer may still be the same.
    if (!this.#held.delete(destinationId) || nodeId === undefined) return
    const { destination } = this.#schema
    await db.query(
      `update ${destination} set leader = null
        where id = (select id from ${destination} where id = $1 and leader = $2 for no key update skip locked)`,
      [destinationId, nodeId],
    )
  }

  /** The other nodes share everything among themselves from now on. Call it before the last resignations. */
  async leave(): Promise<void> {
    const { nodeId, db } = this.#presence
    if (nodeId === undefined) return
    await db.query(`update ${this.#schema.node} set is_leaving = true where id = $1`, [nodeId])
  }

  /** Wins and raises the epochs in one statement. A row that cannot be locked at once is left: a host's transaction is changing the
   *  destination, and waiting for that one would silence the heartbeat. What names this node although it does not hold it was
   *  resigned in vain. */
  async #elect(destinationIds: readonly number[], share: Share | undefined): Promise<Election> {
    const { nodeId, db } = this.#presence
    if (nodeId === undefined) return nothing
    const wanted = destinationIds.filter((id) => !this.#held.has(id))
    const { destination, node } = this.#schema
    // Asked again under the lock of the row: another node may have been faster.
    const isFree = '(d.leader is null or d.leader = $1 or d.leader not in (select id from present))'
    const { rows } = await db.query<{
      nodes: number
      free: readonly { id: number; epoch: number | null }[]
    }>(
      `with present as materialized (${presentNodes(this.#schema)}),
            sharing as materialized (select count(*)::int as nodes from ${node} where id in (select id from present) and not is_leaving),
            free as materialized (
              select d.id from ${destination} d
               where d.id = any ($2::int[]) and $1 in (select id from present) and ${isFree}),
            taken as materialized (
              select d.id from ${destination} d join free using (id)
               where ${isFree}
               order by d.id
               limit case when $3::int is null then null
                          else greatest(0, ceil($3::numeric / greatest(1, (select nodes from sharing))) - $4::int) end
                 for no key update of d skip locked),
            led as (update ${destination} d set epoch = d.epoch + 1, in_process = 0, leader = $1
                      from taken where d.id = taken.id returning d.id, d.epoch)
       select (select nodes from sharing) as nodes,
              coalesce((select json_agg(json_build_object('id', free.id, 'epoch', led.epoch))
                          from free left join led using (id)), '[]') as free`,
      [nodeId, wanted, share?.total ?? null, share?.led ?? 0],
    )
    // The presence may have ended while the answer was under way.
    if (nodeId !== this.#presence.nodeId) return nothing
    const { nodes, free } = rows[0] ?? { nodes: 0, free: [] }
    const won: LedDestination[] = []
    const left: number[] = []
    for (const { id, epoch } of free) {
      if (epoch === null) left.push(id)
      else {
        this.#held.add(id)
        won.push({ destinationId: id, epoch })
      }
    }
    return { won, left, nodes }
  }
}
