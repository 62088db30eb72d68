import assert from 'node:assert/strict'
import { after, describe, it } from 'node:test'
import type { Page } from 'playwright-core'
import type { DestinationView, TopicView } from '../../src/monitor/views.ts'
import { closeBrowser } from '../helpers/browser.ts'
import { assertAccessible, openPage } from '../helpers/console-page.ts'
import { stubAt, stubConsole, stubDestination, stubOverview } from '../helpers/stub-console.ts'

const done = { status: 200, body: { resourceType: 'Parameters', parameter: [] } }
const answered = () => done
const named = (id: string, more: Partial<DestinationView> = {}): DestinationView => ({
  ...stubDestination,
  id,
  reference: `AidboxTopicDestination/${id}`,
  ...more,
})
const topic: TopicView = {
  reference: 'AidboxSubscriptionTopic/first',
  id: 'first',
  url: stubDestination.topicUrl,
  status: 'active',
  triggers: [{ resourceType: 'Patient', interactions: ['create'], criteria: 'active' }],
  destinations: [stubDestination.reference],
  events: 1,
}
const change = {
  topicUrl: topic.url,
  interaction: 'create',
  resource: 'Patient/1',
  versionId: '1',
  at: stubAt,
}
const letter = { ...change, eventNumber: 3, failedAt: stubAt, error: 'It is too large.' }
const samplesAt = (...minutes: readonly number[]) => ({
  at: minutes.map((minute) => new Date(Date.parse(stubAt) + minute * 60_000).toISOString()),
  deliveredPerSecond: minutes.map((_minute, index) => (index === 0 ? null : 1)),
  failedPerSecond: minutes.map((_minute, index) => (index === 0 ? null : 0)),
  waiting: minutes.map(() => 0),
})
const parameters = (...parameter: readonly object[]) => ({
  status: 200,
  body: { resourceType: 'Parameters', parameter },
})

/** East of Greenwich, and not by whole hours. */
const timeZone = 'Asia/Kolkata'

describe('the pages of the console', () => {
  after(closeBrowser)

  it('name every health that needs somebody, in the tab as well', async (t) => {
    const destinations = [
      named('a', { health: 'stuck' }),
      named('b'),
      named('c'),
      named('d', { health: 'off' }),
      named('e', { health: 'ok' }),
    ]
    const { url } = await stubConsole(t, answered, {
      monitor: { overview: () => Promise.resolve(stubOverview(destinations)) },
    })
    const page = await openPage(t, url)
    await page.getByText('Of 5 destinations: 1 is stuck, 2 need attention.').waitFor()
    await untilTitle(page, '(3) Destinations · Event delivery')
    await page.getByRole('link', { name: 'Topics' }).click()
    await untilTitle(page, 'Topics · Event delivery')
  })

  it('follow an address that changes while they are drawn for the first time', async (t) => {
    const { url } = await stubConsole(t, answered)
    const page = await openPage(t, `${url}#/topics`)
    // Between the first drawing and the first effect.
    await page.addInitScript(`new MutationObserver((_records, observer) => {
      if (!document.querySelector('.loading')) return
      observer.disconnect()
      history.replaceState(null, '', '#/tail')
    }).observe(document, { subtree: true, childList: true })`)
    await page.reload()
    await page.getByRole('heading', { level: 1, name: 'Live tail' }).waitFor()
  })

  it('say that events flow although somebody is needed', async (t) => {
    const { url } = await stubConsole(t, answered)
    const page = await openPage(t, url)
    await page.getByText('Events flow. Of 1 destination: 1 needs attention.').waitFor()
    await assertAccessible(page, 'destinations that need attention')
  })

  it('are connected to a server that answers that there is no such destination', async (t) => {
    const { url } = await stubConsole(t, answered)
    const page = await openPage(t, `${url}#/destinations/nonsense`)
    await page.getByText('There is no destination nonsense.').waitFor()
    await page.getByText('Live', { exact: true }).waitFor()
    assert.equal(await page.getByText('Not connected').count(), 0)
  })

  it('have no charts without samples, and say since when there are some', async (t) => {
    const series = { lab: samplesAt(), young: samplesAt(0, 1, 2), old: samplesAt(0, 30, 60) }
    const { url } = await stubConsole(t, answered, {
      monitor: {
        overview: () => Promise.resolve(stubOverview(Object.keys(series).map((id) => named(id)))),
        series: (reference) => series[reference.split('/')[1] as keyof typeof series],
      },
    })
    const page = await openPage(t, `${url}#/destinations/lab`, { timeZone })
    await page.getByText('No samples yet').nth(1).waitFor()
    assert.equal(await page.locator('canvas').count(), 0)
    await page.evaluate("location.hash = '#/destinations/young'")
    await page.getByRole('heading', { name: 'Last hour sampled since 17:30:00' }).waitFor()
    await page.locator('canvas').nth(1).waitFor()
    await page.evaluate("location.hash = '#/destinations/old'")
    await page.getByRole('heading', { level: 1, name: 'old' }).waitFor()
    await page.getByRole('heading', { name: 'Last hour', exact: true }).waitFor()
  })

  it("show each time by the reader's clock, and name its zone", async (t) => {
    const job = [
      { name: 'id', valueInteger: 7 },
      { name: 'kind', valueCode: 'replay' },
      { name: 'startTimestamp', valueDateTime: stubAt },
    ]
    const { url } = await stubConsole(
      t,
      (_address, method) =>
        method === 'POST' ? parameters({ name: 'job', part: job }) : parameters(),
      { monitor: { deadLetters: () => Promise.resolve([letter]) } },
    )
    const page = await openPage(t, `${url}#/destinations/lab`, { timeZone })
    await page.getByText(/Times: Asia\/(Kolkata|Calcutta)/).waitFor()
    await page.getByRole('row').filter({ hasText: '2026-11-26 17:30:00' }).waitFor()
    await page.getByRole('button', { name: 'Replay …' }).click()
    await page.getByLabel('All delivered events').check()
    await page.getByRole('button', { name: 'Replay', exact: true }).click()
    await page.getByRole('dialog').getByText('2026-11-26 17:30:00').waitFor()
  })

  it('link a destination to its topic, and count one event as one', async (t) => {
    const { url } = await stubConsole(t, answered, {
      monitor: { topicNames: () => [topic], topic: () => topic },
    })
    const page = await openPage(t, `${url}#/destinations/lab`)
    await page.getByRole('link', { name: topic.url }).click()
    await page.getByRole('heading', { level: 1, name: 'first' }).waitFor()
    await page.getByText(/^1 event, /).waitFor()
  })

  it('stack the cells of a row where the window is narrow', async (t) => {
    const { url } = await stubConsole(t, answered, {
      monitor: { deadLetters: () => Promise.resolve([letter]) },
    })
    const page = await openPage(t, `${url}#/destinations/lab`, { width: 360 })
    const cells = page.getByRole('region', { name: 'Dead letters' }).getByRole('cell')
    await cells.getByText(letter.error).waitFor()
    const boxes = await Promise.all((await cells.all()).map((cell) => cell.boundingBox()))
    assert.equal(boxes.length, 5)
    assert.equal(new Set(boxes.map((box) => box?.x)).size, 1)
    await assertAccessible(page, 'stacked dead letters')
  })

  it('offer the destinations to watch, and say that there is none of a name', async (t) => {
    const { url } = await stubConsole(t, answered, {
      monitor: {
        overview: () =>
          Promise.resolve(stubOverview([named('lab'), named('adt', { kafkaTopic: 'adt' })])),
      },
    })
    const page = await openPage(t, `${url}#/tail`)
    await page.locator('datalist option[value=adt]').waitFor({ state: 'attached' })
    const field = page.getByLabel('Id of a destination')
    await field.fill('la')
    await page.locator('datalist option[value=adt]').waitFor({ state: 'detached' })
    await field.press('Enter')
    await page.getByText('There is no destination la.').waitFor()
    await field.fill('lab')
    await field.press('Enter')
    await page.getByText('Waiting for notifications').waitFor()
    await page.getByText('There is no destination la.').waitFor({ state: 'detached' })
  })

  it('keep pause disabled until the page shows that it is paused', async (t) => {
    let status: 'active' | 'off' = 'active'
    let look: () => void = () => undefined
    const overviewNow = () =>
      stubOverview([named('lab', { status, health: status === 'off' ? 'off' : 'ok' })])
    const { url } = await stubConsole(t, answered, {
      monitor: {
        overview: () => Promise.resolve(overviewNow()),
        watch: (listener) => {
          look = () => {
            listener(overviewNow())
          }
          look()
          return () => undefined
        },
      },
    })
    const page = await openPage(t, `${url}#/destinations/lab`)
    const answer = page.waitForResponse((response) => response.request().method() === 'POST')
    await page.getByRole('button', { name: 'Pause' }).click()
    await answer
    await untilIdle(page)
    assert.ok(await page.getByRole('button', { name: 'Pause' }).isDisabled())
    assert.equal(await page.getByText('Paused.').count(), 0)
    status = 'off'
    look()
    await page.getByText('Paused.').waitFor()
    assert.ok(await page.getByRole('button', { name: 'Resume' }).isEnabled())
  })

  it('show the answers of explain and a dry run as what they mean', async (t) => {
    const trigger = [
      { name: 'fires', valueBoolean: false },
      { name: 'decidedBy', valueCode: 'guard' },
      { name: 'guard', valueString: "status = 'final'" },
      {
        name: 'part',
        part: [
          { name: 'expression', valueString: 'status' },
          { name: 'result', valueCode: 'value' },
          { name: 'value', part: [{ name: 'text', valueString: 'planned' }] },
        ],
      },
    ]
    const sample = [
      { name: 'change', valueReference: { reference: 'Patient/1/_history/2' } },
      { name: 'interaction', valueCode: 'update' },
      { name: 'at', valueInstant: stubAt },
      { name: 'error', valueString: 'Too many steps.' },
    ]
    const { url } = await stubConsole(
      t,
      (address) =>
        address.endsWith('$explain')
          ? parameters({ name: 'fires', valueBoolean: false }, { name: 'trigger', part: trigger })
          : address.endsWith('$dry-run')
            ? parameters({ name: 'fires', valueInteger: 1 }, { name: 'sample', part: sample })
            : { status: 200, body: { resourceType: 'Patient', id: '1' } },
      { monitor: { topicNames: () => [topic], topic: () => topic } },
    )
    const page = await openPage(t, `${url}#/topics/first`, { timeZone })
    await page.getByLabel('Version after the change').fill('Patient/1')
    await page.getByRole('button', { name: 'Explain' }).click()
    await page.getByText('Does not fire: a condition of the index does not hold').waitFor()
    await page.getByText('status → planned').waitFor()
    await page.getByRole('button', { name: 'Run' }).click()
    const row = page.getByRole('row', {
      name: 'Patient/1 v2 update 2026-11-26 17:30:00 Too many steps.',
    })
    await row.getByRole('button', { name: 'Patient/1' }).click()
    await page.getByRole('dialog', { name: 'Patient/1/_history/2' }).waitFor()
  })
})

/** Its policy lets Playwright wait for no condition of ours. */
function untilTitle(page: Page, title: string): Promise<void> {
  return page.evaluate(`new Promise((resolve) => {
    const look = () => {
      if (document.title === ${JSON.stringify(title)}) resolve()
    }
    new MutationObserver(look).observe(document.head, { subtree: true, childList: true, characterData: true })
    look()
  })`)
}

/** Resolves when what the page has been told is drawn. */
async function untilIdle(page: Page): Promise<void> {
  await page.evaluate('new Promise((resolve) => requestAnimationFrame(() => setTimeout(resolve)))')
}
