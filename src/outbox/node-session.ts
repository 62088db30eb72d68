import { setTimeout as delay } from 'node:timers/promises'
import { Client, type ClientConfig } from 'pg'
import { fromPg } from '../host/sql-tx.ts'
import type { SqlTx } from '../host/types.ts'
import type { Logger } from '../observability/logger.ts'
import { Turns } from '../turns.ts'
import { noticeChannel, topicsOfNotice } from './event-notices.ts'
import { registerNode, type NodePresence, type NodeRegistration } from './node-presence.ts'
import type { OutboxSchema } from './schema.ts'

export interface NodeSessionOptions extends Pick<NodeRegistration, 'deliveredRetentionMs'> {
  /** After this time without a sign of life the server ends this node's session, and other nodes can lead.
   *  @default 10000 */
  readonly sessionTimeoutMs?: number
  /** @default a quarter of sessionTimeoutMs */
  readonly heartbeatMs?: number
}

const maxReconnectDelayMs = 5000

/** Presence by a session that holds the advisory lock of the node's id.
 *
 *  A process that dies loses its session and with it the lock at once. One that hangs is silent, and `idle_session_timeout` makes
 *  the server end the session. One lock a node: locks for thousands of destinations would not fit into PostgreSQL's lock table. */
export class NodeSession implements NodePresence {
  readonly db: SqlTx
  readonly #config: ClientConfig
  readonly #schema: OutboxSchema
  readonly #logger: Logger
  readonly #sessionTimeoutMs: number
  readonly #heartbeatMs: number
  readonly #deliveredRetentionMs: number
  readonly #lostListeners: (() => void)[] = []
  readonly #noticeListeners: ((topicIds: readonly number[]) => void)[] = []
  readonly #stopping = new AbortController()
  #present: { readonly client: Client; readonly nodeId: number } | undefined
  #heartbeat: NodeJS.Timeout | undefined
  #connecting: Promise<void> | undefined
  /** Of the statements of this session. */
  readonly #turns = new Turns()

  constructor(
    config: ClientConfig,
    schema: OutboxSchema,
    logger: Logger,
    {
      sessionTimeoutMs = 10_000,
      heartbeatMs = sessionTimeoutMs / 4,
      deliveredRetentionMs = 0,
    }: NodeSessionOptions = {},
  ) {
    this.#config = config
    this.#schema = schema
    this.#logger = logger
    this.#sessionTimeoutMs = sessionTimeoutMs
    this.#heartbeatMs = heartbeatMs
    this.#deliveredRetentionMs = deliveredRetentionMs
    this.db = {
      query: (text, values) => this.#inTurn((client) => fromPg(client).query(text, values)),
    }
  }

  get nodeId(): number | undefined {
    return this.#present?.nodeId
  }

  async start(): Promise<void> {
    const isConnected = await this.#connect()
    if (!isConnected) this.#reconnect()
  }

  onLost(callback: () => void): void {
    this.#lostListeners.push(callback)
  }

  onNotice(callback: (topicIds: readonly number[]) => void): void {
    this.#noticeListeners.push(callback)
  }

  async stop(): Promise<void> {
    this.#stopping.abort()
    await this.#connecting
    const present = this.#present
    this.#forget()
    await present?.client.end().catch(() => undefined)
  }

  async #connect(): Promise<boolean> {
    const connectionTimeoutMillis = this.#sessionTimeoutMs
    const client = new Client({
      connectionTimeoutMillis,
      query_timeout: connectionTimeoutMillis,
      ...this.#config,
      keepAlive: true,
    })
    client.on('error', (error) => {
      this.#lose(client, error)
    })
    client.on('end', () => {
      this.#lose(client, undefined)
    })
    let nodeId: number
    try {
      await client.connect()
      await client.query(this.#sessionSettings())
      nodeId = await this.#register(client)
    } catch (error) {
      this.#logger.warn({ err: error }, 'the session of this node cannot connect; will retry')
      await client.end().catch(() => undefined)
      return false
    }
    if (this.#isStopped()) {
      await client.end()
      return true
    }
    client.on('notification', ({ payload }) => {
      this.#hear(client, payload)
    })
    this.#present = { client, nodeId }
    this.#heartbeat = setInterval(() => {
      this.#beat(client)
    }, this.#heartbeatMs)
    this.#heartbeat.unref()
    return true
  }

  #sessionSettings(): string {
    return `set idle_session_timeout = ${Math.ceil(this.#sessionTimeoutMs)};
      set statement_timeout = ${Math.ceil(this.#sessionTimeoutMs)};
      set tcp_keepalives_idle = 5; set tcp_keepalives_interval = 2; set tcp_keepalives_count = 3;
      set default_transaction_isolation = 'read committed'; set jit = off;
      listen ${noticeChannel(this.#schema)}`
  }

  async #register(client: Client): Promise<number> {
    const nodeId = await registerNode(fromPg(client), this.#schema, {
      deliveredRetentionMs: this.#deliveredRetentionMs,
    })
    await client.query('select pg_advisory_lock($1, $2)', [this.#schema.lockKey, nodeId])
    return nodeId
  }

  /** One's own come back, too: they wake who is awake. */
  #hear(client: Client, payload: string | undefined): void {
    if (client !== this.#present?.client) return
    const topicIds = topicsOfNotice(payload)
    for (const listener of this.#noticeListeners) listener(topicIds)
  }

  /** A server that does not answer within the timeout is as good as gone: it may have ended this session already. */
  #beat(client: Client): void {
    const deadline = setTimeout(() => {
      this.#lose(client, new Error('the heartbeat of the session was not answered'))
    }, this.#sessionTimeoutMs)
    deadline.unref()
    this.#inTurn(() => client.query('select 1'))
      .catch(() => undefined)
      .finally(() => {
        clearTimeout(deadline)
      })
      .catch(() => undefined)
  }

  /** After a failed statement it is unknown what the others see, so the session is given up. */
  async #inTurn<Result>(run: (client: Client) => Promise<Result>): Promise<Result> {
    const present = this.#present
    if (!present) throw new Error('this node has no session')
    const { client } = present
    return this.#turns.take(async () => {
      try {
        return await run(client)
      } catch (error) {
        this.#lose(client, error)
        throw error
      }
    })
  }

  #lose(client: Client, error: unknown): void {
    if (client !== this.#present?.client) return
    this.#forget()
    this.#logger.warn(
      { err: error },
      'the session of this node is lost; every leadership of it is void',
    )
    // The session may still be alive on the server when only the answer is late. Its lock must not outlive this.
    client.end().catch(() => undefined)
    for (const listener of this.#lostListeners) listener()
    this.#reconnect()
  }

  #forget(): void {
    clearInterval(this.#heartbeat)
    this.#present = undefined
  }

  #reconnect(): void {
    if (this.#isStopped()) return
    this.#connecting = this.#connectAgain()
  }

  async #connectAgain(): Promise<void> {
    const { signal } = this.#stopping
    let delayMs = 100
    do {
      await delay(delayMs * (0.5 + Math.random() / 2), undefined, { signal }).catch(() => undefined)
      delayMs = Math.min(delayMs * 2, maxReconnectDelayMs)
    } while (!this.#isStopped() && !(await this.#connect()))
  }

  #isStopped(): boolean {
    return this.#stopping.signal.aborted
  }
}
