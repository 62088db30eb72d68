import type { SqlTx } from '../host/types.ts'
import type { Logger } from '../observability/logger.ts'
import { registerNode, type NodePresence, type NodeRegistration } from './node-presence.ts'
import type { OutboxSchema } from './schema.ts'

export interface NodeLeaseOptions extends Pick<NodeRegistration, 'deliveredRetentionMs'> {
  /** A node that has not renewed its lease for so long is taken for dead.
   *  @default 10000 */
  readonly leaseMs?: number
  /** @default a quarter of leaseMs */
  readonly heartbeatMs?: number
}

/** Presence by a row with an end, for databases behind a pooler in transaction mode, where a session holds nothing.
 *
 *  A node that dies is missed only when its lease has ended; one that stops ends it. The node itself counts its lease from before it asked
 *  for it, on its own clock, so it gives up before the others do. Give it connections of its own: a renewal that waits behind the lanes'
 *  statements comes late when they are many. */
export class NodeLease implements NodePresence {
  readonly db: SqlTx
  readonly #schema: OutboxSchema
  readonly #logger: Logger
  readonly #leaseMs: number
  readonly #heartbeatMs: number
  readonly #deliveredRetentionMs: number
  readonly #listeners: (() => void)[] = []
  #nodeId: number | undefined
  #endsAtMs = Number.NEGATIVE_INFINITY
  #timer: NodeJS.Timeout | undefined
  #ending: NodeJS.Timeout | undefined
  #beating: Promise<void> | undefined
  #isStopping = false

  constructor(
    db: SqlTx,
    schema: OutboxSchema,
    logger: Logger,
    {
      leaseMs = 10_000,
      heartbeatMs = leaseMs / 4,
      deliveredRetentionMs = 0,
    }: NodeLeaseOptions = {},
  ) {
    this.db = db
    this.#schema = schema
    this.#logger = logger
    this.#leaseMs = leaseMs
    this.#heartbeatMs = heartbeatMs
    this.#deliveredRetentionMs = deliveredRetentionMs
  }

  get nodeId(): number | undefined {
    return performance.now() < this.#endsAtMs ? this.#nodeId : undefined
  }

  async start(): Promise<void> {
    await this.#beat()
    this.#timer = setInterval(() => {
      // One that hangs is not repeated: they would all come at once.
      this.#beating ??= this.#beat().finally(() => {
        this.#beating = undefined
      })
    }, this.#heartbeatMs)
    this.#timer.unref()
  }

  async stop(): Promise<void> {
    this.#isStopping = true
    clearInterval(this.#timer)
    await this.#beating
    clearTimeout(this.#ending)
    const nodeId = this.#nodeId
    this.#nodeId = undefined
    if (nodeId === undefined) return
    await this.db
      .query(`delete from ${this.#schema.node} where id = $1`, [nodeId])
      .catch((error: unknown) => {
        this.#logger.warn(
          { err: error },
          'the lease of this node could not be ended; it will run out',
        )
      })
  }

  onLost(callback: () => void): void {
    this.#listeners.push(callback)
  }

  /** Nothing is heard without a session. */
  onNotice(): void {}

  /** Never rejects. */
  async #beat(): Promise<void> {
    if (this.#isStopping) return
    const askedAtMs = performance.now()
    if (askedAtMs >= this.#endsAtMs) this.#lose()
    try {
      const before = this.#nodeId
      const nodeId = await (before === undefined ? this.#register() : this.#renew(before))
      // It ended while the answer was under way; the next beat is another node.
      if (nodeId === before && this.#nodeId === undefined) return
      this.#nodeId = nodeId
      this.#endsAtMs = askedAtMs + this.#leaseMs
      this.#loseAtEnd()
    } catch (error) {
      this.#logger.warn({ err: error }, 'the lease of this node cannot be renewed; will retry')
    }
  }

  #loseAtEnd(): void {
    clearTimeout(this.#ending)
    this.#ending = setTimeout(() => {
      this.#lose()
    }, this.#endsAtMs - performance.now())
    this.#ending.unref()
  }

  /** A number that others may have taken for dead is never used again. */
  #lose(): void {
    if (this.#nodeId === undefined) return
    this.#nodeId = undefined
    this.#logger.warn({}, 'the lease of this node has ended; every leadership of it is void')
    for (const listener of this.#listeners) listener()
  }

  async #register(): Promise<number> {
    return registerNode(this.db, this.#schema, {
      leaseMs: this.#leaseMs,
      deliveredRetentionMs: this.#deliveredRetentionMs,
    })
  }

  async #renew(nodeId: number): Promise<number> {
    const { rows } = await this.db.query<{ id: number }>(
      `update ${this.#schema.node} set lease_until = clock_timestamp() + make_interval(secs => $2)
        where id = $1 and lease_until > clock_timestamp() returning id`,
      [nodeId, this.#leaseMs / 1000],
    )
    if (rows.length === 1) return nodeId
    this.#lose()
    return this.#register()
  }
}
