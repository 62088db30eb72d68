import assert from 'node:assert/strict'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { kafkaTopicDestination } from '../../src/module.ts'
import type { ModuleOptions } from '../../src/options.ts'
import {
  createServer,
  type ReferenceServer,
  type ServerOptions,
} from '../../src/server/create-server.ts'
import { FhirClient } from '../helpers/fhir-client.ts'
import { newTopic, testKafka, uniqueName, type KafkaAddresses } from '../helpers/kafka.ts'
import { TokenEndpoint } from '../helpers/token-endpoint.ts'
import { testDatabase, type CleanUp, type TestDatabase } from '../helpers/postgres.ts'
import { destinationResource, type TestResource } from '../helpers/topic-resources.ts'
import { readNotifications, type Notification } from './notification.ts'
import { recordingLogger, type LogLine } from '../helpers/recording-logger.ts'
import { vaultScopes, type SecretName } from './secret-vault.ts'

export type Kind = 'kafka-at-least-once' | 'kafka-best-effort'

/** The least the option allows: creating and changing topics and destinations answers sooner. */
const registryLeaseMs = 50

/** The server that all rows are tried on: the reference server with a real PostgreSQL and a real Kafka. Rows run one after the other; what one
 *  creates here is deleted before the next (`forget`), so that it sees no change of another. */
export class ContractServer {
  readonly kafka: KafkaAddresses
  readonly database: TestDatabase
  /** Folder of the files that the vault configuration names. */
  readonly vaultFolder: string
  /** The only one that the modules of all servers ask. */
  readonly tokenEndpoint: TokenEndpoint
  /** What the modules of all servers have logged. */
  readonly log: LogLine[] = []
  readonly #servers: ReferenceServer[] = []
  readonly #created: string[] = []
  #fhir: FhirClient | undefined
  #url = ''

  private constructor(
    kafka: KafkaAddresses,
    database: TestDatabase,
    vaultFolder: string,
    tokenEndpoint: TokenEndpoint,
  ) {
    this.kafka = kafka
    this.database = database
    this.vaultFolder = vaultFolder
    this.tokenEndpoint = tokenEndpoint
  }

  static async start(t: CleanUp): Promise<ContractServer> {
    const [kafka, database, vaultFolder, tokenEndpoint] = await Promise.all([
      testKafka(),
      testDatabase({ name: t.name }),
      mkdtemp(join(tmpdir(), 'contract-vault-')),
      TokenEndpoint.start({ name: t.name }),
    ])
    const secret = Object.fromEntries(
      Object.entries(vaultScopes).map(([name, scope]) => [
        name,
        {
          path: join(vaultFolder, name),
          scope,
          ...(name === 'key-store' ? { format: 'pkcs12', password_path: 'key-password' } : {}),
        },
      ]),
    )
    await writeFile(join(vaultFolder, 'vault.json'), JSON.stringify({ secret }))
    const contract = new ContractServer(kafka, database, vaultFolder, tokenEndpoint)
    const server = await contract.startServer()
    contract.#url = server.url
    contract.#fhir = new FhirClient(server.url)
    return contract
  }

  get fhir(): FhirClient {
    assert.ok(this.#fhir)
    return this.#fhir
  }

  get url(): string {
    return this.#url
  }

  /** A server more on the same database: another node, with options of its own. */
  async startServer(
    moduleOptions: Partial<ModuleOptions> = {},
    serverOptions: Partial<ServerOptions> = {},
  ): Promise<ReferenceServer> {
    const databaseUrl = this.database.connectionString
    const server = await createServer({ databaseUrl, ...serverOptions })
    this.#servers.push(server)
    server.load(
      kafkaTopicDestination({
        database: databaseUrl,
        baseUrl: server.url,
        vaultConfigPath: join(this.vaultFolder, 'vault.json'),
        allowedTokenEndpoints: [this.tokenEndpoint.url],
        registryLeaseMs,
        logger: recordingLogger(this.log),
        ...moduleOptions,
      }),
    )
    await server.listen()
    return server
  }

  async writeSecret(name: SecretName, value: string | Buffer): Promise<void> {
    await writeFile(join(this.vaultFolder, name), value)
  }

  async removeSecret(name: SecretName): Promise<void> {
    await rm(join(this.vaultFolder, name))
  }

  async stop(): Promise<void> {
    await this.forget()
    for (const server of this.#servers) await server.close()
    await this.tokenEndpoint.stop()
    await rm(this.vaultFolder, { recursive: true })
  }

  /** Deletes what was created by the methods here, as far as it is there. */
  async forget(): Promise<void> {
    const gone = this.#created.splice(0).toReversed()
    if (gone.length === 0) return
    // One transaction: each commit of topics and destinations answers after a lease.
    const entry = gone.map((reference) => ({
      request: { method: 'DELETE', url: reference.replace('/', '?_id=') },
    }))
    await this.fhir.ok('POST', '', { resourceType: 'Bundle', type: 'transaction', entry })
  }

  /** Have `forget` delete this as well: `AidboxTopicDestination/<id>`. */
  note(...references: readonly string[]): void {
    this.#created.push(...references)
  }

  /** An active topic of its own, not stored. No trigger: `[]`. */
  topic(trigger: object | readonly object[], more: object = {}): TestResource {
    const id = uniqueName('topic')
    this.note(`AidboxSubscriptionTopic/${id}`)
    const triggers = [trigger].flat()
    return {
      resourceType: 'AidboxSubscriptionTopic',
      id,
      url: `http://example.org/topic/${id}`,
      status: 'active',
      ...(triggers.length === 0 ? {} : { trigger: triggers }),
      ...more,
    }
  }

  /** A destination of its own that sends to `kafkaTopic`, not stored. */
  destination(
    topic: TestResource,
    kafkaTopic: string,
    { kind = 'kafka-at-least-once', parameter = [], ...more }: DestinationOptions = {},
  ): TestResource {
    const id = uniqueName('destination')
    this.note(`AidboxTopicDestination/${id}`)
    const whole = destinationResource(
      id,
      kind,
      topic.id,
      kafkaTopic,
      this.kafka.bootstrapServers,
      more,
    )
    const names = new Set(parameter.map(({ name }) => name))
    const usual = (whole['parameter'] as NamedParameter[]).filter(({ name }) => !names.has(name))
    return { ...whole, topic: topic['url'], parameter: [...usual, ...parameter] }
  }

  /** Creates a topic and a destination that listens to it. */
  async follow(
    trigger: object | readonly object[],
    { partitions, ...options }: DestinationOptions & { partitions?: number } = {},
  ): Promise<Followed> {
    const { bootstrapServers } = this.kafka
    const kafkaTopic = await newTopic(bootstrapServers, partitions ? { partitions } : {})
    const topic = this.topic(trigger)
    const destination = this.destination(topic, kafkaTopic, options)
    await this.create(topic, destination)
    return {
      topic,
      destination,
      id: destination.id,
      kafkaTopic,
      read: (count) => readNotifications(bootstrapServers, kafkaTopic, count),
    }
  }

  /** Creates resources with their ids in one transaction. */
  async create(...resources: readonly TestResource[]): Promise<void> {
    await this.fhir.ok('POST', '', {
      resourceType: 'Bundle',
      type: 'transaction',
      entry: resources.map((resource) => ({
        resource,
        request: { method: 'POST', url: resource.resourceType },
      })),
    })
  }

  /** @returns the status of each entry: `201` */
  async batch(entry: readonly object[]): Promise<string[]> {
    const answer = await this.fhir.ok('POST', '', { resourceType: 'Bundle', type: 'batch', entry })
    const entries = answer['entry'] as { response: { status: string } }[]
    return entries.map(({ response }) => response.status.slice(0, 3))
  }
}

/** `{ name: 'batchSize', valueInteger: 0 }` */
export interface NamedParameter {
  readonly name: string
  readonly [value: string]: unknown
}

export interface DestinationOptions {
  /** Default: at least once. */
  readonly kind?: Kind
  /** On top of topic, brokers and keyByResourceId; the same name replaces one. */
  readonly parameter?: readonly NamedParameter[]
  readonly [element: string]: unknown
}

/** A destination together with what arrives in Kafka. */
export interface Followed {
  readonly topic: TestResource
  readonly destination: TestResource
  readonly id: string
  readonly kafkaTopic: string
  /** Reads from the beginning until `count` notifications are there; fails when they do not come. */
  readonly read: (count: number) => Promise<Notification[]>
}
