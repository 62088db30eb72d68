import assert from 'node:assert/strict'
import { once } from 'node:events'
import type { AddressInfo } from 'node:net'
import { after, describe, it, type TestContext } from 'node:test'
import express from 'express'
import {
  consoleRouter,
  type ConsoleFhirAnswer,
  type ConsoleOptions,
} from '../../src/console/index.ts'
import type { DeliveryMonitor, Overview } from '../../src/monitor/delivery-monitor.ts'
import { healths, type DestinationView, type Health } from '../../src/monitor/views.ts'
import { closeBrowser } from '../helpers/browser.ts'
import { assertAccessible, openPage, themes, widths } from '../helpers/console-page.ts'

const at = '2026-11-26T12:00:00.000Z'
const counts = {
  delivered: 10,
  failedAttempts: 0,
  inProcess: 0,
  queued: 0,
  dead: 2,
  undecided: 0,
  notKept: 0,
  notFired: 0,
  discarded: 0,
  lost: 0,
}
const destination: DestinationView = {
  reference: 'AidboxTopicDestination/lab',
  id: 'lab',
  kind: 'kafka-at-least-once',
  topicUrl: 'http://example.org/topic',
  kafkaTopic: 'lab',
  status: 'active',
  health: 'attention',
  why: '2 dead letters.',
  counts,
  errors: [],
  startedAt: at,
  lastEventNumber: 12,
}
const overview: Overview = {
  summary: {
    at,
    destinations: 1,
    // One key for each health.
    byHealth: Object.fromEntries(healths.map((each) => [each, 0])) as Record<Health, number>,
    deliveredPerSecond: 0,
    waiting: 0,
    dead: 2,
    undecided: 0,
    lost: 0,
  },
  destinations: [destination],
}

/** What stands in the place of a module, so that the pages are looked at alone. */
const monitorOf = (operations: readonly string[]): DeliveryMonitor => ({
  operations,
  overview: () => Promise.resolve(overview),
  watch: () => () => undefined,
  keepSamples: () => undefined,
  nodes: () => Promise.resolve([]),
  series: () => ({ at: [], deliveredPerSecond: [], failedPerSecond: [], waiting: [] }),
  withLastHour: (view) => ({ ...view, lastHour: [] }),
  topicNames: () => [],
  topic: () => undefined,
  deadLetters: () => Promise.resolve([]),
  undecided: () => Promise.resolve([]),
  tail: () => () => undefined,
})

interface ServiceOptions extends Pick<ConsoleOptions, 'health'> {
  readonly operations?: readonly string[]
  readonly mayWrite?: boolean
}

interface Service {
  readonly url: string
  /** Method, address and body of what reached the FHIR server. */
  readonly calls: readonly (readonly [string, unknown])[]
}

async function service(
  t: TestContext,
  answer: (url: string, method: string) => ConsoleFhirAnswer,
  {
    operations = ['redrive', 'discard', 'replay', 'backfill', 'cancel'],
    mayWrite = true,
    health,
  }: ServiceOptions = {},
): Promise<Service> {
  const calls: (readonly [string, unknown])[] = []
  const router = consoleRouter({
    module: { monitor: monitorOf(operations) },
    authorize: () => ({ mayWrite }),
    ...(health ? { health } : {}),
    fhir: async ({ method, url, readBody }) => {
      const body = await readBody()
      if (method === 'POST') calls.push([url, body && 'parsed' in body ? body.parsed : undefined])
      return answer(url, method)
    },
  })
  const listener = express().use('/console', router).listen(0, '127.0.0.1')
  await once(listener, 'listening')
  t.after(async () => {
    router.close()
    listener.closeAllConnections()
    listener.close()
    await once(listener, 'close')
  })
  const { port } = listener.address() as AddressInfo
  return { url: `http://127.0.0.1:${port}/console/#/destinations/lab`, calls }
}

const done = { status: 200, body: { resourceType: 'Parameters', parameter: [] } }
const job = (state: string) => ({
  name: 'job',
  part: [
    { name: 'id', valueInteger: 7 },
    { name: 'kind', valueCode: 'replay' },
    { name: 'state', valueCode: state },
    { name: 'total', valueDecimal: 200 },
    { name: 'sent', valueDecimal: 50 },
    { name: 'failed', valueDecimal: 1 },
    { name: 'maxPerSecond', valueInteger: 500 },
    { name: 'startTimestamp', valueDateTime: at },
  ],
})
const parameters = (...parameter: readonly object[]) => ({ resourceType: 'Parameters', parameter })

describe('the forms of operations in the console', () => {
  after(closeBrowser)

  for (const theme of themes) {
    for (const width of widths) {
      it(`have forms that are accessible and fit, ${theme}, ${width} px`, async (t) => {
        const { url } = await service(t, (address) =>
          address.endsWith('$status') ? { status: 200, body: parameters(job('running')) } : done,
        )
        const page = await openPage(t, url, { theme, width })
        await page.getByText('51 of 200').waitFor()
        await assertAccessible(page, 'a destination with a job')
        for (const title of ['Redrive', 'Discard', 'Replay', 'Backfill']) {
          await page.getByRole('button', { name: `${title} …` }).click()
          await page.getByRole('dialog', { name: `${title}: lab` }).waitFor()
          await assertAccessible(page, title)
          await page.getByRole('button', { name: 'Close' }).click()
          await page.getByRole('dialog').waitFor({ state: 'detached' })
        }
      })
    }
  }

  it('send what stands in the form, and nothing that does not', async (t) => {
    const { url, calls } = await service(t, () => done)
    const page = await openPage(t, url)
    const call = async (title: string, fill: () => Promise<void>) => {
      await page.getByRole('button', { name: `${title} …` }).click()
      await fill()
      await page.getByRole('button', { name: title, exact: true }).click()
      await page.getByText('Done.', { exact: true }).waitFor()
      await page.keyboard.press('Escape')
      await page.getByRole('dialog').waitFor({ state: 'detached' })
    }
    await call('Redrive', async () => {
      await page.getByLabel('Of', { exact: true }).selectOption('dead-letters')
      await page.getByLabel('From event number').fill('3')
      await page.getByLabel('Part of the error').fill('too large')
      await page.getByLabel('Undecided events').selectOption('false')
      await page.getByLabel('Most events a second').fill('20')
    })
    await call('Discard', async () => {
      await page.getByLabel('Everything that the fields above allow').check()
    })
    await call('Replay', async () => {
      await page.getByLabel('Changes from').fill('2026-11-25T14:00:00')
    })
    await call('Backfill', () => Promise.resolve())
    const time = await page.evaluate<string>(
      "new Date('2026-11-25T14:00:00').toISOString().replace('.000', '')",
    )
    assert.deepEqual(calls, [
      [
        '/AidboxTopicDestination/lab/$redrive',
        parameters(
          { name: 'of', valueCode: 'dead-letters' },
          { name: 'fromEvent', valuePositiveInt: 3 },
          { name: 'error', valueString: 'too large' },
          { name: 'decide', valueBoolean: false },
          { name: 'maxPerSecond', valuePositiveInt: 20 },
        ),
      ],
      ['/AidboxTopicDestination/lab/$discard', parameters({ name: 'all', valueBoolean: true })],
      ['/AidboxTopicDestination/lab/$replay', parameters({ name: 'from', valueDateTime: time })],
      ['/AidboxTopicDestination/lab/$backfill', parameters()],
    ])
  })

  it('show why the server refuses, and cancel a job', async (t) => {
    let state = 'running'
    const text = 'Say what is meant, or write all as valueBoolean true.'
    const { url, calls } = await service(t, (address, method) => {
      if (address.endsWith('$status')) return { status: 200, body: parameters(job(state)) }
      if (address.endsWith('$cancel')) {
        state = 'cancelled'
        return done
      }
      if (method === 'GET') return { status: 200, body: { resourceType: 'AidboxTopicDestination' } }
      const issue = [{ severity: 'error', code: 'required', details: { text } }]
      return { status: 422, body: { resourceType: 'OperationOutcome', issue } }
    })
    const page = await openPage(t, url)
    await page.getByRole('button', { name: 'Replay …' }).click()
    await page.getByRole('button', { name: 'Replay', exact: true }).click()
    await page.getByText(text).waitFor()
    await page.getByRole('button', { name: 'Close' }).click()
    await page.getByRole('button', { name: 'Cancel replay 7' }).click()
    await page.getByText('cancelled').waitFor()
    await page.getByRole('button', { name: 'Cancel replay 7' }).waitFor({ state: 'detached' })
    assert.deepEqual(calls.at(-1), [
      '/AidboxTopicDestination/lab/$cancel',
      parameters({ name: 'job', valuePositiveInt: 7 }),
    ])
  })

  it('stand beside the health of the Kafka cluster, where that is known', async (t) => {
    const service1 = { service: 'lab', kafkaTopic: 'health.lab', isHealthy: true, latencyMs: 12 }
    const service2 = {
      service: 'billing',
      kafkaTopic: 'health.billing',
      isHealthy: false,
      side: 'consumer',
      principal: 'User:billing',
      cause: 'Kafka refuses to let it read.',
    } as const
    const { url } = await service(t, () => done, {
      health: () =>
        Promise.resolve({ name: 'hospital', isHealthy: false, services: [service1, service2] }),
    })
    const page = await openPage(t, url.replace(/#.*/, '#/nodes'))
    await page.getByText('hospital: not all services can talk.').waitFor()
    await page.getByText('read after 12 ms').waitFor()
    await page.getByText('consumer User:billing: Kafka refuses to let it read.').waitFor()
    await assertAccessible(page, 'nodes with health')
  })

  it('are offered to who may write, where the server has them', async (t) => {
    const reader = await service(t, () => done, { mayWrite: false })
    const page = await openPage(t, reader.url)
    await page.getByRole('heading', { name: 'Counts' }).waitFor()
    assert.equal(await page.locator('.actions button').count(), 0)
    const old = await service(t, () => done, { operations: ['status', 'redrive'] })
    const other = await openPage(t, old.url)
    await other.getByRole('button', { name: 'Redrive …' }).waitFor()
    assert.deepEqual(await other.locator('.actions button').allInnerTexts(), ['Pause', 'Redrive …'])
  })

  it('stand on a page that gets no stream, because too many are open', async (t) => {
    const { url } = await service(t, () => done)
    const page = await openPage(t, url.replace(/#.*/, '#/nodes'))
    await page.route('**/api/destinations/lab', (route) =>
      route.request().headers()['accept'] === 'text/event-stream'
        ? route.fulfill({ status: 503, json: { error: 'Too many pages are open.' } })
        : route.fallback(),
    )
    await page.evaluate("location.hash = '#/destinations/lab'")
    await page.getByText('Not connected').waitFor()
    await page.getByRole('button', { name: 'Redrive …' }).waitFor()
  })
})
