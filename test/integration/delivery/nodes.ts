import assert from 'node:assert/strict'
import { setTimeout as delay } from 'node:timers/promises'
import type { TestContext } from 'node:test'
import type { Pool } from 'pg'
import { kafkaTopicDestination, type TopicDestinationModule } from '../../../src/module.ts'
import type { ModuleOptions } from '../../../src/options.ts'
import { consumeUntil, type ConsumedRecord } from '../../helpers/kafka.ts'
import { testDatabase } from '../../helpers/postgres.ts'
import {
  destinationResource,
  topicResource,
  type TestResource,
} from '../../helpers/topic-resources.ts'
import { PgHost } from './pg-host.ts'

export interface Node {
  readonly host: PgHost
  readonly module: TopicDestinationModule
}

export interface Nodes {
  readonly pool: Pool
  readonly all: readonly Node[]
  readonly first: Node
  /** One more, as after a restart, with options on top. */
  readonly add: (more?: Partial<ModuleOptions>) => Promise<Node>
}

/** Servers on one database with the module loaded and started; stopped after the test. */
export async function startNodes(
  t: TestContext,
  count = 1,
  options: Partial<ModuleOptions> = {},
): Promise<Nodes> {
  const all: Node[] = []
  // Before the database goes: what is registered first runs first.
  t.after(() => Promise.all(all.map(({ module }) => module.stop())))
  const { pool, connectionString } = await testDatabase(t)
  await PgHost.migrate(pool)
  for (let index = 0; index < count; index++) {
    all.push(await startNode(pool, connectionString, options))
  }
  const [first] = all
  assert.ok(first)
  const add = async (more: Partial<ModuleOptions> = {}): Promise<Node> => {
    const node = await startNode(pool, connectionString, { ...options, ...more })
    all.push(node)
    return node
  }
  return { pool, all, first, add }
}

async function startNode(
  pool: Pool,
  connectionString: string,
  options: Partial<ModuleOptions>,
): Promise<Node> {
  const host = new PgHost(pool)
  const module = kafkaTopicDestination({
    database: connectionString,
    baseUrl: 'https://fhir.example.org/fhir',
    registryLeaseMs: 200,
    stopTimeoutMs: 1000,
    ...options,
  })
  module.register(host)
  await module.start()
  return { host, module }
}

export interface DestinationOptions {
  readonly kind?: 'kafka-at-least-once' | 'kafka-best-effort'
  readonly topicId?: string
  readonly kafkaTopic: string
  readonly bootstrapServers: string
  readonly parameters?: Readonly<Record<string, number>>
  readonly more?: object
}

export function destination(id: string, options: DestinationOptions): TestResource {
  const {
    kind = 'kafka-at-least-once',
    topicId = 'patients',
    kafkaTopic,
    bootstrapServers,
  } = options
  const made = destinationResource(id, kind, topicId, kafkaTopic, bootstrapServers, options.more)
  const numbers = Object.entries(options.parameters ?? {}).map(([name, valueInteger]) => ({
    name,
    valueInteger,
  }))
  return { ...made, parameter: [...(made['parameter'] as object[]), ...numbers] }
}

/** The resource as one of an organization. */
export function ofOrganization(id: string, resource: TestResource): TestResource {
  const extension = [
    {
      url: 'https://aidbox.app/tenant-organization-id',
      valueReference: { reference: `Organization/${id}` },
    },
  ]
  return { ...resource, meta: { ...(resource['meta'] as object | undefined), extension } }
}

export const patientsTopic: TestResource = topicResource('patients', { resource: 'Patient' })

export function patient(id: string, more: object = {}): TestResource {
  return { resourceType: 'Patient', id, ...more }
}

/** What an event says of itself. */
export interface Told {
  readonly number: number
  readonly focus: string
  readonly versionId: string | undefined
}

export function told({ value }: ConsumedRecord): Told {
  const { entry } = JSON.parse(value ?? '') as {
    entry: {
      resource?: {
        meta?: { versionId?: string }
        notificationEvent?: { eventNumber: number; focus: { reference: string } }[]
      }
    }[]
  }
  const event = entry[0]?.resource?.notificationEvent?.[0]
  assert.ok(event)
  return {
    number: event.eventNumber,
    focus: event.focus.reference,
    versionId: entry[1]?.resource?.meta?.versionId,
  }
}

/** Committed events, from the first on, until there are enough. */
export async function readTold(
  bootstrapServers: string,
  kafkaTopic: string,
  isDone: (all: readonly Told[]) => boolean,
): Promise<readonly Told[]> {
  const records = await consumeUntil(
    bootstrapServers,
    kafkaTopic,
    (read) => isDone(read.map(told)),
    { deadlineMs: 60_000 },
  )
  return records.map(told)
}

/** `number focus`, short enough to compare. */
export function lines(all: readonly Told[]): string[] {
  return all.map(({ number, focus }) => `${number} ${focus}`)
}

export interface Status {
  readonly [name: string]: unknown
  readonly errors: readonly string[]
  /** The newest of each kind, the newest first. */
  readonly jobs: readonly JobStatus[]
}

/** The parts of a job by name. */
export type JobStatus = Readonly<Record<string, unknown>>

/** $status by name; undefined when there is no such destination. */
export async function statusOf(node: Node, id: string): Promise<Status | undefined> {
  const answer = await node.host.status(id)
  if (!answer) return undefined
  const values: Record<string, unknown> = {}
  const errors: string[] = []
  const jobs: JobStatus[] = []
  for (const { name, part, ...value } of answer.parameter ?? []) {
    if (name === 'lastErrorDetail') {
      errors.push(part?.find((each) => each.name === 'message')?.valueString ?? '')
    } else if (name === 'job') {
      jobs.push(
        Object.fromEntries((part ?? []).map(({ name: of, ...one }) => [of, Object.values(one)[0]])),
      )
    } else values[name] = Object.values(value)[0]
  }
  return { ...values, errors, jobs }
}

/** Asks for $status until it is as wanted; fails with the last one. */
export async function untilStatus(
  node: Node,
  id: string,
  isWanted: (status: Status) => boolean,
  deadlineMs = 60_000,
): Promise<Status> {
  const endsAtMs = performance.now() + deadlineMs
  for (;;) {
    const status = await statusOf(node, id)
    if (status && isWanted(status)) return status
    if (performance.now() > endsAtMs) assert.fail(`$status stays ${JSON.stringify(status)}`)
    await delay(20)
  }
}
