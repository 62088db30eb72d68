import assert from 'node:assert/strict'
import { rm } from 'node:fs/promises'
import { dirname } from 'node:path'
import { after, before, describe, it } from 'node:test'
import type { Page } from 'playwright-core'
import { kafkaTopicDestination } from '../../src/module.ts'
import { createServer, type ReferenceServer } from '../../src/server/create-server.ts'
import { connectClusterAdmin } from '../../src/topology/connect-cluster-admin.ts'
import { closeBrowser } from '../helpers/browser.ts'
import { assertAccessible, openPage, themes, widths } from '../helpers/console-page.ts'
import { FhirClient } from '../helpers/fhir-client.ts'
import {
  consumeRecords,
  consumeUntil,
  createTopic,
  privateKafka,
  type ConsumedRecord,
  type KafkaBroker,
} from '../helpers/kafka.ts'
import { testDatabase } from '../helpers/postgres.ts'
import { topologyFile, topologySource, topologyText } from '../helpers/topology.ts'
import { destinationResource, topicResource } from '../helpers/topic-resources.ts'

const topology = `cluster: { bootstrapServers: '\${BROKERS}' }
environments: { ward: { vars: { BROKERS: 'BROKER' } } }
defaults: { replicationFactor: 1 }
principals: { fhir: { user: 'User:fhir' } }
services: { lab: { groupPrefix: lab-, health: lab.health } }
retryPolicies: { patient: { attempts: 3, delays: [1m, 5m], then: deadLetter } }
topics:
  lab.health: { role: health }
  lab.results: { external: producer, to: [lab/Reader], retry: patient, partitions: 2, config: { retention: 7d } }
  lab.late: { external: true }
roles: { Fhir: { principal: fhir, can: [write], topics: [lab.*], transactionalIds: [topic-destination-*] } }
fhir:
  destinations:
    - { id: results, kafkaTopic: lab.results, kind: kafka-at-least-once }
    - { id: planned, kafkaTopic: lab.results, kind: kafka-at-least-once }
`

const text = (length: number) => [{ family: 'x'.repeat(length) }]
const patient = (id: string, more: object = {}) => ({ resourceType: 'Patient', id, ...more })
const deliveryOf = ({ headers }: ConsumedRecord) => headers['x-topic-delivery']

/** East of Greenwich, and not by whole hours. */
const timeZone = 'Asia/Kolkata'
const timeZoneMs = 5.5 * 3_600_000

describe('operations and topology in the console', () => {
  let kafka: KafkaBroker
  let server: ReferenceServer
  let fhir: FhirClient
  let consoleUrl: string
  let file: string

  before(async (t) => {
    const database = await testDatabase({ name: t.name })
    kafka = await privateKafka({ name: t.name })
    const { bootstrapServers } = kafka
    for (const name of ['lab.results', 'lab.late', 'lab.unclear', 'lab.health']) {
      await createTopic(bootstrapServers, name)
    }
    file = await topologyFile(
      { name: t.name },
      topologyText(topology.replace("BROKER'", `${bootstrapServers}'`)),
    )
    server = await createServer({
      databaseUrl: database.connectionString,
      topology: { file, environment: 'ward', deadlineMs: 30_000 },
    })
    const module = kafkaTopicDestination({
      database: database.connectionString,
      baseUrl: server.url,
      deliveredRetentionMs: 3_600_000,
    })
    server.load(module)
    server.serveConsole(module)
    fhir = new FhirClient(await server.listen())
    consoleUrl = server.url.replace(/\/fhir$/, '/console/')
    await fhir.put(topicResource('patients', { resource: 'Patient' }))
    await fhir.put(
      topicResource('unclear', { resource: 'Patient', fhirPathCriteria: 'name.single().exists()' }),
    )
    for (const [id, topic] of [
      ['results', 'patients'],
      ['unclear', 'unclear'],
    ] as const) {
      await fhir.put(
        destinationResource(id, 'kafka-at-least-once', topic, `lab.${id}`, bootstrapServers),
      )
    }
  })

  after(async () => {
    await closeBrowser()
    await server.close()
    await kafka.stop()
    await rm(dirname(file), { recursive: true, force: true })
  })

  async function allowBytes(bytes: number): Promise<void> {
    const { bootstrapServers } = kafka
    const admin = await connectClusterAdmin(topologySource('topics: {}'), { bootstrapServers })
    await admin.alterConfig('lab.results', { 'max.message.bytes': String(bytes) })
    await admin.close()
  }

  const pageOf = (t: Parameters<typeof openPage>[0], id: string): Promise<Page> =>
    openPage(t, `${consoleUrl}#/destinations/${id}`, { timeZone })

  const countOf = (page: Page, name: string, value: number): Promise<void> =>
    page.locator(`[data-count=${name}]`).getByText(String(value), { exact: true }).waitFor()

  /** Fills the form of an operation, and sends it. The dialog stays open. */
  async function send(page: Page, title: string, fill: () => Promise<void>): Promise<void> {
    await page.getByRole('button', { name: `${title} …` }).click()
    await fill()
    await page.getByRole('button', { name: title, exact: true }).click()
  }

  async function close(page: Page): Promise<void> {
    await page.keyboard.press('Escape')
    await page.getByRole('dialog').waitFor({ state: 'detached' })
  }

  it('redrive a dead letter after a fix, and discard another', async (t) => {
    await allowBytes(2000)
    await fhir.put(patient('small'))
    await fhir.put(patient('large', { name: text(4000) }))
    await fhir.untilStatus('results', ({ count }) => count('messagesDead') === 1)
    const page = await pageOf(t, 'results')
    await countOf(page, 'dead', 1)
    await send(page, 'Redrive', () => page.getByLabel('Part of the error').fill('no such words'))
    await page.getByText('Done.', { exact: true }).waitFor()
    await close(page)

    await allowBytes(1_000_000)
    await send(page, 'Redrive', async () => {
      await page.getByLabel('What to send again').selectOption('dead-letters')
      await page.getByLabel('From event number').fill('2')
      await page.getByLabel('To event number').fill('2')
      await page.getByLabel('Most events a second').fill('50')
    })
    await page.getByText(/^Job \d+ has begun/).waitFor()
    await close(page)
    await countOf(page, 'dead', 0)
    await page.getByRole('row', { name: /redrive \d+ done.* 1 of 1/ }).waitFor()
    const [, redriven] = await consumeRecords(kafka.bootstrapServers, 'lab.results', 2)
    assert.equal(redriven && deliveryOf(redriven), 'redrive')
    assert.match(redriven?.value ?? '', /Patient\/large/)

    await allowBytes(2000)
    await fhir.put(patient('unwanted', { name: text(4000) }))
    await countOf(page, 'dead', 1)
    await send(page, 'Discard', async () => {
      await page.getByLabel('All of them').check()
    })
    await page.getByText('Done.', { exact: true }).waitFor()
    await close(page)
    await countOf(page, 'discarded', 1)
    await countOf(page, 'dead', 0)
    await allowBytes(1_000_000)
  })

  it('send undecided events on', async (t) => {
    await fhir.put(patient('two-names', { name: [...text(1), ...text(2)] }))
    const page = await pageOf(t, 'unclear')
    await page.getByRole('button', { name: 'Patient/two-names' }).waitFor()
    await send(page, 'Redrive', async () => {
      await page.getByLabel('What to send again').selectOption('undecided')
      await page.getByLabel('Undecided events', { exact: true }).selectOption('false')
      await page.getByLabel('All of them').check()
    })
    await page.getByText('Done.', { exact: true }).waitFor()
    await close(page)
    await countOf(page, 'undecided', 0)
    await consumeUntil(kafka.bootstrapServers, 'lab.unclear', (records) =>
      records.some(({ value }) => value?.includes('Patient/two-names') === true),
    )
  })

  it("replay the seconds that the reader's clock has shown, and no others", async (t) => {
    await fhir.put(patient('meant'))
    const isMeant = ({ value }: ConsumedRecord) => value?.includes('Patient/meant') === true
    const records = await consumeUntil(kafka.bootstrapServers, 'lab.results', (all) =>
      all.some(isMeant),
    )
    const at = records.find(isMeant)?.headers['ce_time'] ?? ''
    const shown = new Date(Date.parse(at) + timeZoneMs).toISOString().slice(0, 19)
    const page = await pageOf(t, 'results')
    await send(page, 'Replay', async () => {
      await page.getByLabel('Changes from').fill(shown)
      await page.getByLabel('Changes up to').fill(shown)
    })
    await page.getByText(/^Job \d+ has begun/).waitFor()
    await close(page)
    await page.getByRole('row', { name: /replay \d+ done/ }).waitFor()
    const all = await consumeUntil(kafka.bootstrapServers, 'lab.results', (read) =>
      read.some((record) => isMeant(record) && deliveryOf(record) === 'replay'),
    )
    const replayed = all.filter((record) => deliveryOf(record) === 'replay')
    assert.deepEqual(
      replayed.filter(({ headers }) => headers['ce_time']?.slice(0, 19) !== at.slice(0, 19)),
      [],
    )
    await send(page, 'Replay', async () => {
      await page.getByLabel('Changes up to').fill('2020-01-01T00:00:00')
    })
    await page.getByText('No delivered event of this range is kept.').waitFor()
  })

  it('cancel a replay, and refuse a second one beside it', async (t) => {
    for (let index = 0; index < 20; index++) await fhir.put(patient(`many-${index}`))
    await fhir.untilStatus('results', ({ count }) => count('messagesQueued') === 0)
    const page = await pageOf(t, 'results')
    const replayAll = (): Promise<void> =>
      send(page, 'Replay', async () => {
        await page.getByLabel('All delivered events').check()
        await page.getByLabel('Most events a second').fill('1')
      })
    await replayAll()
    await page.getByText(/^Job \d+ has begun/).waitFor()
    await close(page)
    await replayAll()
    await page.getByText('A replay of this destination is running; wait for its end').waitFor()
    await close(page)
    await page.getByRole('button', { name: /^Cancel replay \d+$/ }).click()
    await page.getByRole('row', { name: /replay \d+ cancelled/ }).waitFor()
    await page.getByRole('button', { name: /^Cancel replay/ }).waitFor({ state: 'detached' })
  })

  it('backfill a new destination with what there is', async (t) => {
    const { bootstrapServers } = kafka
    const page = await pageOf(t, 'late')
    await page.getByText('There is no destination late.').waitFor()
    await fhir.put(
      destinationResource('late', 'kafka-at-least-once', 'patients', 'lab.late', bootstrapServers),
    )
    await send(page, 'Backfill', async () => {
      await page.getByLabel('Most events a second').fill('1000')
    })
    await page.getByText(/^Job \d+ has begun/).waitFor()
    await close(page)
    await page.getByRole('row', { name: /backfill \d+ done/ }).waitFor()
    const { total } = await fhir.ok('GET', '/Patient?_summary=count')
    const records = await consumeRecords(bootstrapServers, 'lab.late', Number(total))
    assert.equal(new Set(records.map(({ headers }) => headers['ce_id'])).size, Number(total))
    assert.deepEqual([...new Set(records.map(deliveryOf))], ['backfill'])
    await countOf(page, 'delivered', Number(total))
  })

  for (const theme of themes) {
    for (const width of widths) {
      it(`show the health and what the topology file says, ${theme}, ${width} px`, async (t) => {
        const page = await openPage(t, `${consoleUrl}#/nodes`, { theme, width })
        await page.getByText('test (ward): all services can talk.').waitFor()
        await page.getByText(/read after \d+ ms/).waitFor()
        const row = page.getByRole('row', { name: /^lab\.results / })
        await row.waitFor()
        assert.deepEqual(
          (await row.getByRole('cell').allInnerTexts()).map((cell) => cell.split(/\s+/).join(' ')),
          ['2 × 1', '7d', 'outside', 'lab/Reader', 'patient', 'planned not stored here results'],
        )
        await page.getByRole('row', { name: /^lab\.late .* late not in the file$/ }).waitFor()
        await page
          .getByRole('row', { name: 'patient 3 1m, 5m – deadLetter –', exact: true })
          .waitFor()
        await assertAccessible(page, 'nodes with a topology')
        await page.getByLabel('Find by Kafka topic').fill('LATE')
        await row.waitFor({ state: 'detached' })
        await page.getByRole('link', { name: 'late', exact: true }).click()
        await page.getByRole('heading', { level: 1, name: 'late' }).waitFor()
      })
    }
  }
})
