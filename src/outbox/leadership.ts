import { setTimeout as delay } from 'node:timers/promises'
import { Client, type ClientConfig } from 'pg'
import type { Logger } from '../observability/logger.ts'
import type { OutboxSchema, Queryable } from './schema.ts'

export interface LedDestination {
  readonly destinationId: number
  readonly epoch: number
}

export interface LeadershipOptions {
  /** After this time without a sign of life the server ends this node's session, and other nodes can lead.
   *  @default 10000 */
  readonly sessionTimeoutMs?: number
  /** @default a quarter of sessionTimeoutMs */
  readonly heartbeatMs?: number
}

const maxReconnectDelayMs = 5000

/** This node's leaderships: session advisory locks on one control connection.
 *
 *  A process that dies loses its session and with it every lock at once. One that hangs is silent, and `idle_session_timeout` makes
 *  the server end the session. Locks only choose a leader; that an old one which does not know yet does no harm is the work of the
 *  epoch, which rises with each leadership. */
export class Leadership {
  readonly #config: ClientConfig
  readonly #schema: OutboxSchema
  readonly #logger: Logger
  readonly #sessionTimeoutMs: number
  readonly #heartbeatMs: number
  readonly #held = new Set<number>()
  readonly #listeners: (() => void)[] = []
  readonly #stopping = new AbortController()
  #client: Client | undefined
  #heartbeat: NodeJS.Timeout | undefined
  #connecting: Promise<void> | undefined
  /** Statements of this session run one after the other. */
  #tail: Promise<unknown> = Promise.resolve()

  constructor(
    config: ClientConfig,
    schema: OutboxSchema,
    logger: Logger,
    { sessionTimeoutMs = 10_000, heartbeatMs = sessionTimeoutMs / 4 }: LeadershipOptions = {},
  ) {
    this.#config = config
    this.#schema = schema
    this.#logger = logger
    this.#sessionTimeoutMs = sessionTimeoutMs
    this.#heartbeatMs = heartbeatMs
  }

  /** Connects, and keeps connecting in the background when the database is away. */
  async start(): Promise<void> {
    const isConnected = await this.#connect()
    if (!isConnected) this.#reconnect()
  }

  /** Called when the session is gone: everything this node led is void. */
  onLost(callback: () => void): void {
    this.#listeners.push(callback)
  }

  /** Tries to lead these destinations; returns those newly won. Those led already, and those of other nodes, are left out.
   *  Resolves with none while the database is away. */
  async tryLead(destinationIds: readonly number[]): Promise<readonly LedDestination[]> {
    const client = this.#client
    if (!client) return []
    return this.#inTurn(client, () => this.#win(client, destinationIds))
  }

  /** Gives one leadership up. */
  async resign(destinationId: number): Promise<void> {
    const client = this.#client
    if (!client || !this.#held.delete(destinationId)) return
    await this.#inTurn(client, () => this.#unlock(client, [destinationId]))
  }

  /** Ends the session, which gives every leadership up. */
  async stop(): Promise<void> {
    this.#stopping.abort()
    await this.#connecting
    const client = this.#client
    this.#forget()
    await client?.end().catch(() => undefined)
  }

  async #connect(): Promise<boolean> {
    const connectionTimeoutMillis = this.#sessionTimeoutMs
    const client = new Client({ connectionTimeoutMillis, ...this.#config, keepAlive: true })
    client.on('error', (error) => {
      this.#lose(client, error)
    })
    client.on('end', () => {
      this.#lose(client, undefined)
    })
    try {
      await client.connect()
      await client.query(this.#sessionSettings())
    } catch (error) {
      this.#logger.warn({ err: error }, 'the leadership session cannot connect; will retry')
      await client.end().catch(() => undefined)
      return false
    }
    if (this.#isStopped()) {
      await client.end()
      return true
    }
    this.#client = client
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
      set jit = off`
  }

  /** A server that does not answer within the timeout is as good as gone: it may have ended this session already. */
  #beat(client: Client): void {
    const deadline = setTimeout(() => {
      this.#lose(client, new Error('the heartbeat of the leadership session was not answered'))
    }, this.#sessionTimeoutMs)
    deadline.unref()
    this.#inTurn(client, () => client.query('select 1'))
      .catch(() => undefined)
      .finally(() => {
        clearTimeout(deadline)
      })
      .catch(() => undefined)
  }

  /** Wins locks and raises the epochs in one statement. A lock without a row that could be raised at once is given back: the destination
   *  is gone, or a host's transaction is changing it. Waiting for that one would silence the heartbeat. */
  async #win(
    client: Client,
    destinationIds: readonly number[],
  ): Promise<readonly LedDestination[]> {
    // A session can take its own lock twice and would have to give it back twice.
    const wanted = destinationIds.filter((id) => !this.#held.has(id))
    if (client !== this.#client || wanted.length === 0) return []
    const { lockKey, destination } = this.#schema
    const { rows } = await client.query<{ id: number; epoch: number | null }>(
      `with locked as materialized (select id from unnest($2::int[]) id where pg_try_advisory_lock($1, id)),
            free as materialized (select d.id from ${destination} d join locked using (id) for no key update of d skip locked),
            led as (update ${destination} d set epoch = d.epoch + 1, in_process = 0
                      from free where d.id = free.id returning d.id, d.epoch)
       select locked.id, led.epoch from locked left join led using (id)`,
      [lockKey, wanted],
    )
    const won: LedDestination[] = []
    for (const { id, epoch } of rows) if (epoch !== null) won.push({ destinationId: id, epoch })
    await this.#unlock(
      client,
      rows.filter(({ epoch }) => epoch === null).map(({ id }) => id),
    )
    if (client !== this.#client) return []
    for (const { destinationId } of won) this.#held.add(destinationId)
    return won
  }

  async #unlock(client: Client, destinationIds: readonly number[]): Promise<void> {
    if (destinationIds.length === 0) return
    await client.query('select pg_advisory_unlock($1, id) from unnest($2::int[]) id', [
      this.#schema.lockKey,
      destinationIds,
    ])
  }

  /** After a failed statement it is unknown which locks the session has, so it is given up. */
  #inTurn<Result>(client: Client, run: () => Promise<Result>): Promise<Result> {
    const result = this.#tail.then(run)
    this.#tail = result.catch((error: unknown) => {
      this.#lose(client, error)
    })
    return result
  }

  #lose(client: Client, error: unknown): void {
    if (client !== this.#client) return
    this.#forget()
    this.#logger.warn(
      { err: error },
      'the leadership session is lost; every leadership of this node is void',
    )
    // The session may still be alive on the server when only the answer is late. Its locks must not outlive this.
    client.end().catch(() => undefined)
    for (const listener of this.#listeners) listener()
    this.#reconnect()
  }

  #forget(): void {
    clearInterval(this.#heartbeat)
    this.#client = undefined
    this.#held.clear()
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

/** Whether no other node has led the destination since `epoch` was won; false when it is gone. Reads one row by its key and
 *  locks nothing: for a leader that is about to do what its successor would suffer from, and may have slept since it won. */
export async function isEpochCurrent(
  db: Queryable,
  schema: OutboxSchema,
  destinationId: number,
  epoch: number,
): Promise<boolean> {
  const { rows } = await db.query(
    `select 1 from ${schema.destination} where id = $1 and epoch = $2`,
    [destinationId, epoch],
  )
  return rows.length > 0
}
