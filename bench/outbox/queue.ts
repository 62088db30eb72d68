import { Pool } from 'pg'
import { fromPg } from '../../src/host/sql-tx.ts'
import type { FhirResource } from '../../src/host/types.ts'
import { listDestinationRows, putDestination } from '../../src/outbox/destinations.ts'
import { migrateOutbox } from '../../src/outbox/migrations.ts'
import { identifier, outboxSchema, type OutboxSchema } from '../../src/outbox/schema.ts'
import { createTopic } from '../../test/helpers/kafka.ts'
import { PgHost } from '../../test/integration/delivery/pg-host.ts'
import { onServer, urlOfDatabase, type Backends } from '../backends.ts'
import { benchDestination, benchResponse, benchTopic, benchTopicUrl } from '../bench-resources.ts'

export interface DestinationSettings {
  /** More parameters, of whole numbers. */
  readonly numbers?: Readonly<Record<string, number>>
  /** Of the Kafka topic, which is created. */
  readonly topicConfig?: Readonly<Record<string, string>>
}

/** An outbox in a database of its own with one subscription topic, and the table that `PgHost` reads resources from. No node serves it
 *  before one is started. */
export class BenchQueue {
  readonly url: string
  readonly pool: Pool
  readonly schema: OutboxSchema
  readonly bootstrapServers: string
  readonly #serverUrl: string
  #topicId = 0

  private constructor(backends: Backends, name: string, slotEvents: number | undefined) {
    this.url = urlOfDatabase(backends.databaseUrl, name)
    this.#serverUrl = backends.databaseUrl
    this.bootstrapServers = backends.bootstrapServers
    this.pool = new Pool({ connectionString: this.url, max: 10 })
    this.schema = outboxSchema(undefined, slotEvents === undefined ? {} : { slotEvents })
  }

  /** @param slotEvents of the outbox's ring; absent: the module's default */
  static async create(backends: Backends, name: string, slotEvents?: number): Promise<BenchQueue> {
    const queue = new BenchQueue(backends, name, slotEvents)
    await onServer(backends.databaseUrl, `create database ${identifier(name)}`)
    await migrateOutbox(queue.pool, queue.schema)
    await PgHost.migrate(queue.pool)
    await queue.#store({ ...(benchTopic as FhirResource) })
    return queue
  }

  get topicId(): number {
    if (this.#topicId === 0) throw new Error('the queue has no destination yet')
    return this.#topicId
  }

  /** An active at-least-once destination with a Kafka topic of its own, of the same name as the destination.
   *  @returns the destination's number in the outbox */
  async addDestination(
    id: string,
    { numbers = {}, topicConfig = {} }: DestinationSettings = {},
  ): Promise<number> {
    await createTopic(this.bootstrapServers, id, { config: topicConfig })
    await this.#store(this.#destination(id, 'active', numbers))
    const reference = `AidboxTopicDestination/${id}`
    const kind = 'kafka-at-least-once'
    const topicUrl = benchTopicUrl
    await putDestination(fromPg(this.pool), this.schema, { reference, kind, topicUrl })
    const rows = await listDestinationRows(fromPg(this.pool), this.schema)
    const row = rows.find((each) => each.reference === reference)
    if (!row) throw new Error('the destination was not written')
    this.#topicId = row.topicId
    return row.destinationId
  }

  /** Switches all destinations off but this one, for nodes that are started after it. */
  async activateOnly(id: string): Promise<void> {
    await this.pool.query(
      `update resource set body = jsonb_set(body, '{status}', to_jsonb(case when reference = $1 then 'active' else 'off' end))
        where reference like 'AidboxTopicDestination/%'`,
      [`AidboxTopicDestination/${id}`],
    )
  }

  /** Enqueues events of 2 KB, a thousand a transaction, and flushes, so that what it leaves to be written is not measured. */
  async fill(events: number): Promise<void> {
    for (let start = 0; start < events; start += 1000) {
      await this.enqueue(Math.min(1000, events - start), start)
    }
    await this.pool.query('checkpoint')
  }

  /** Events of 2 KB in one transaction, made by the server. Their resources are `bench-<number>`. */
  async enqueue(events: number, firstNumber = 0): Promise<void> {
    await this.pool.query(
      `insert into ${this.schema.event} (topic_id, interaction, resource_type, resource_id, version_id, body)
       select $1, 'c', 'QuestionnaireResponse', 'bench-' || n, '1', replace($2, '{n}', n::text)
         from generate_series($3::int, $4::int) n`,
      [this.topicId, bodyTemplate, firstNumber, firstNumber + events - 1],
    )
  }

  /** How many events the destination has delivered. */
  async delivered(destinationId: number): Promise<number> {
    const { rows } = await this.pool.query<{ delivered: string }>(
      `select delivered from ${this.schema.destination} where id = $1`,
      [destinationId],
    )
    return Number(rows[0]?.delivered ?? 0)
  }

  async drop(): Promise<void> {
    // The server may end sessions of the pool that are just being closed.
    this.pool.on('error', () => undefined)
    await this.pool.end()
    const name = identifier(new URL(this.url).pathname.slice(1))
    await onServer(this.#serverUrl, `drop database ${name} with (force)`)
  }

  #destination(
    id: string,
    status: 'active' | 'off',
    numbers: Readonly<Record<string, number>>,
  ): FhirResource {
    const made = benchDestination('kafka-at-least-once', id, this.bootstrapServers, status)
    const more = Object.entries(numbers).map(([name, valueInteger]) => ({ name, valueInteger }))
    const { parameter } = made as { parameter: object[] }
    return { ...(made as FhirResource), id, parameter: [...parameter, ...more] }
  }

  async #store(resource: FhirResource): Promise<void> {
    await this.pool.query(`insert into resource values ($1, 1, $2)`, [
      `${resource.resourceType}/${resource.id ?? ''}`,
      resource,
    ])
  }
}

/** With the place of the resource's number. */
export const bodyTemplate: string = JSON.stringify({
  ...benchResponse(),
  id: 'bench-{n}',
  meta: { versionId: '1' },
})
