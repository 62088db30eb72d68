import assert from 'node:assert/strict'
import { readdir, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { describe, it } from 'node:test'
import { fileURLToPath } from 'node:url'
import { FhirClient } from '../helpers/fhir-client.ts'
import { consumeUntil, newTopic, testKafka } from '../helpers/kafka.ts'
import { testDatabase, type CleanUp } from '../helpers/postgres.ts'
import { startServerProcess, type ServerProcess } from '../helpers/server-process.ts'
import { destinationResource, topicResource } from '../helpers/topic-resources.ts'

/** Transaction bundles whose entries are all POST; another directory (`TEST_BUNDLES`) shows the same on other input. */
const directory =
  process.env['TEST_BUNDLES'] ?? fileURLToPath(new URL('../../fixtures/bundles', import.meta.url))

interface Resource {
  readonly resourceType: string
  readonly id?: string
  readonly [element: string]: unknown
}

interface Bundle extends Resource {
  readonly entry: readonly { readonly fullUrl: string; readonly resource: Resource }[]
}

const bmi = "code.coding.where(system = 'http://loinc.org' and code = '39156-5').exists()"

/** What each topic watches, as trigger and as a plain function over the input. */
const watched = [
  { resource: 'Encounter', selects: () => true },
  {
    resource: 'Observation',
    fhirPathCriteria: `${bmi} and value.ofType(Quantity).value > 25`,
    selects: (observation: Resource) => isHighBmi(observation as unknown as BmiObservation),
  },
  { resource: 'Condition', selects: () => true },
  { resource: 'MedicationRequest', selects: () => true },
] as const

interface BmiObservation {
  readonly code: { readonly coding: readonly { readonly system: string; readonly code: string }[] }
  readonly valueQuantity?: { readonly value: number }
}

function isHighBmi({ code, valueQuantity }: BmiObservation): boolean {
  const [first] = code.coding
  return (
    first?.system === 'http://loinc.org' &&
    first.code === '39156-5' &&
    (valueQuantity?.value ?? 0) > 25
  )
}

describe('transaction bundles', () => {
  it('arrive resource by resource as a plain script computes them from the bundles, both kinds', async (t) => {
    const stage = await prepare(t)
    for (const bundle of stage.bundles) await stage.client().ok('POST', '', bundle)
    for (const { kind, resource, id, kafkaTopic, expected } of stage.outlets) {
      await stage
        .client()
        .untilStatus(
          id,
          ({ count }) =>
            count('messagesDelivered') === expected.length && count('messagesInProcess') === 0,
        )
      const records = await stage.read(kafkaTopic, expected.length)
      assert.deepEqual(records.map(({ text }) => text).toSorted(), expected, `${kind} ${resource}`)
      assert.deepEqual(
        records.map(({ eventNumber }) => eventNumber),
        expected.map((_, index) => index + 1),
      )
    }
    const patient = stage.outlets.find(({ resource }) => resource === 'Encounter')
    assert.ok(patient && patient.expected.length > 0, 'the input has encounters')
  })

  it('arrive whole at least once when the server is killed half-way and started again', async (t) => {
    const stage = await prepare(t)
    const half = Math.ceil(stage.bundles.length / 2)
    for (const [index, bundle] of stage.bundles.entries()) {
      if (index !== half) {
        await stage.client().ok('POST', '', bundle)
        continue
      }
      // The bundle under way may or may not be committed; a client finds out and repeats it if not.
      const underWay = stage
        .client()
        .request('POST', '', bundle)
        .catch(() => undefined)
      await stage.restart()
      await underWay
      if (!(await stage.isStored(bundle))) await stage.client().ok('POST', '', bundle)
    }
    for (const { kind, resource, kafkaTopic, expected } of stage.outlets) {
      if (kind !== 'kafka-at-least-once') continue
      const records = await stage.read(kafkaTopic, expected.length)
      const byNumber = new Map(records.map((record) => [record.eventNumber, record]))
      // A page under way at the kill may come again: the same events under the same numbers.
      for (const { eventNumber, text } of records) {
        assert.equal(byNumber.get(eventNumber)?.text, text)
      }
      assert.deepEqual(
        [...byNumber.values()].map(({ text }) => text).toSorted(),
        expected,
        resource,
      )
    }
  })
})

interface Notification {
  readonly eventNumber: number
  /** The resource, as `comparable` makes it. */
  readonly text: string
}

async function prepare(t: CleanUp) {
  const bundles = await readBundles()
  const { connectionString } = await testDatabase(t)
  const { bootstrapServers } = await testKafka()
  const env = { DATABASE_URL: connectionString, KAFKA_BOOTSTRAP_SERVERS: bootstrapServers }
  let server: ServerProcess = await startServerProcess(env)
  t.after?.(() => server.stop())
  const client = (): FhirClient => new FhirClient(server.url)
  const outlets = []
  for (const { resource, selects, ...trigger } of watched) {
    const topicId = resource.toLowerCase()
    await client().put(topicResource(topicId, { resource, ...trigger }))
    for (const kind of ['kafka-at-least-once', 'kafka-best-effort'] as const) {
      const id = `${topicId}-${kind}`
      const kafkaTopic = await newTopic(bootstrapServers)
      await client().put(destinationResource(id, kind, topicId, kafkaTopic, bootstrapServers))
      const expected = expectedOf(bundles, resource, selects)
      outlets.push({ kind, resource, id, kafkaTopic, expected })
    }
  }
  return {
    bundles,
    outlets,
    client,
    async restart() {
      await server.kill()
      server = await startServerProcess(env)
    },
    async isStored({ entry }: Bundle): Promise<boolean> {
      const { resourceType, identifier } = entry[0]?.resource ?? { resourceType: '' }
      const [{ system = '', value = '' } = {}] = identifier as { system?: string; value?: string }[]
      const token = encodeURIComponent(`${system}|${value}`)
      const found = await client().ok('GET', `/${resourceType}?identifier=${token}`)
      return (found['total'] as number) > 0
    },
    /** Until as many different events are there. */
    async read(kafkaTopic: string, count: number): Promise<Notification[]> {
      const records = await consumeUntil(bootstrapServers, kafkaTopic, (read) => {
        const numbers = new Set(read.map(({ value }) => notificationOf(value).eventNumber))
        return numbers.size >= count
      })
      return records.map(({ value }) => notificationOf(value))
    },
  }
}

async function readBundles(): Promise<Bundle[]> {
  const names = (await readdir(directory)).filter((name) => name.endsWith('.json')).toSorted()
  // Patients last: their bundles may refer to what the others hold.
  const ordered = [
    ...names.filter((name) => !name.includes('patient')),
    ...names.filter((name) => name.includes('patient')),
  ]
  return Promise.all(
    ordered.map(
      async (name) => JSON.parse(await readFile(join(directory, name), 'utf8')) as Bundle,
    ),
  )
}

function expectedOf(
  bundles: readonly Bundle[],
  resourceType: string,
  selects: (resource: Resource) => boolean,
): string[] {
  return bundles
    .flatMap(({ entry }) => {
      const types = new Map(
        entry.map(({ fullUrl, resource }) => [fullUrl, resource.resourceType] as const),
      )
      return entry
        .map(({ resource }) => resource)
        .filter((resource) => resource.resourceType === resourceType && selects(resource))
        .map((resource) => comparable(resource, types))
    })
    .toSorted()
}

function notificationOf(value: string | null): Notification {
  const bundle = JSON.parse(value ?? '') as {
    readonly entry: readonly [
      { readonly resource: { readonly notificationEvent: readonly { eventNumber: number }[] } },
      { readonly resource: Resource },
    ]
  }
  const [status, { resource }] = bundle.entry
  const eventNumber = status.resource.notificationEvent[0]?.eventNumber ?? Number.NaN
  return { eventNumber, text: comparable(resource, new Map()) }
}

/** A resource without what the server assigns: id, version, date; of each reference only the type that it points to. */
function comparable(resource: Resource, types: ReadonlyMap<string, string>): string {
  const { id: _id, meta, ...rest } = resource
  const {
    versionId: _versionId,
    lastUpdated: _lastUpdated,
    ...metaRest
  } = (meta ?? {}) as object & {
    versionId?: string
    lastUpdated?: string
  }
  return JSON.stringify({ ...rest, meta: metaRest }, (name, value: unknown) => {
    if (name !== 'reference' || typeof value !== 'string') return value
    return types.get(value) ?? value.split(/[/?]/)[0]
  })
}
