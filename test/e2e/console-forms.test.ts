import assert from 'node:assert/strict'
import { after, describe, it } from 'node:test'
import { closeBrowser } from '../helpers/browser.ts'
import { assertAccessible, openPage, themes, widths } from '../helpers/console-page.ts'
import { stubAt, stubConsole, stubDestination, stubOverview } from '../helpers/stub-console.ts'

const place = '#/destinations/lab'
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
    { name: 'startTimestamp', valueDateTime: stubAt },
  ],
})
const parameters = (...parameter: readonly object[]) => ({ resourceType: 'Parameters', parameter })

describe('the forms of operations in the console', () => {
  after(closeBrowser)

  for (const theme of themes) {
    for (const width of widths) {
      it(`have forms that are accessible and fit, ${theme}, ${width} px`, async (t) => {
        const { url } = await stubConsole(t, (address) =>
          address.endsWith('$status') ? { status: 200, body: parameters(job('running')) } : done,
        )
        const page = await openPage(t, `${url}${place}`, { theme, width })
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
    const { url, calls } = await stubConsole(t, () => done)
    const page = await openPage(t, `${url}${place}`)
    const call = async (title: string, fill: () => Promise<void>) => {
      await page.getByRole('button', { name: `${title} …` }).click()
      await fill()
      await page.getByRole('button', { name: title, exact: true }).click()
      await page.getByText('Done.', { exact: true }).waitFor()
      await page.keyboard.press('Escape')
      await page.getByRole('dialog').waitFor({ state: 'detached' })
    }
    await call('Redrive', async () => {
      await page.getByLabel('What to send again').selectOption('dead-letters')
      await page.getByLabel('From event number').fill('3')
      await page.getByLabel('Part of the error').fill('too large')
      await page.getByLabel('Undecided events').selectOption('false')
      await page.getByLabel('Most events a second').fill('20')
    })
    await call('Discard', async () => {
      await page.getByLabel('All of them').check()
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
    const text = 'No delivered event of this range is kept.'
    const { url, calls } = await stubConsole(t, (address, method) => {
      if (address.endsWith('$status')) return { status: 200, body: parameters(job(state)) }
      if (address.endsWith('$cancel')) {
        state = 'cancelled'
        return done
      }
      if (method === 'GET') return { status: 200, body: { resourceType: 'AidboxTopicDestination' } }
      const issue = [{ severity: 'error', code: 'not-found', details: { text } }]
      return { status: 422, body: { resourceType: 'OperationOutcome', issue } }
    })
    const page = await openPage(t, `${url}${place}`)
    await page.getByRole('button', { name: 'Replay …' }).click()
    await page.getByLabel('From event number').fill('900')
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

  it('say what they are about now, and what is missing in words of their own', async (t) => {
    const { url, calls } = await stubConsole(t, () => done)
    const page = await openPage(t, `${url}${place}`)
    for (const [title, limits] of [
      ['Redrive', 'Fill in at least one field from “From event number” to “Part of the error”'],
      ['Discard', 'Fill in at least one field from “From event number” to “Part of the error”'],
      ['Replay', 'Fill in at least one field from “From event number” to “Changes up to'],
    ] as const) {
      await page.getByRole('button', { name: `${title} …` }).click()
      const now = title === 'Replay' ? '10 events delivered' : '2 dead letters, 0 undecided events'
      await page.getByText(now).waitFor()
      await page.getByRole('button', { name: title, exact: true }).click()
      await page.getByRole('alert').filter({ hasText: limits }).waitFor()
      await page.getByRole('button', { name: 'Cancel', exact: true }).click()
      await page.getByRole('dialog').waitFor({ state: 'detached' })
    }
    assert.deepEqual(calls, [])
  })

  it('leave limits out when all are meant', async (t) => {
    const { url, calls } = await stubConsole(t, () => done)
    const page = await openPage(t, `${url}${place}`)
    await page.getByRole('button', { name: 'Discard …' }).click()
    await page.getByText('This cannot be undone.').waitFor()
    await page.getByLabel('Part of the error').fill('too large')
    await page.getByLabel('All of them').check()
    assert.ok(await page.getByLabel('Part of the error').isDisabled())
    await page.getByRole('button', { name: 'Discard', exact: true }).click()
    await page.getByText('Done.', { exact: true }).waitFor()
    assert.deepEqual(calls, [
      ['/AidboxTopicDestination/lab/$discard', parameters({ name: 'all', valueBoolean: true })],
    ])
  })

  it('keep their buttons in sight in a low window', async (t) => {
    const { url } = await stubConsole(t, () => done)
    const page = await openPage(t, `${url}${place}`, { width: 360 })
    await page.setViewportSize({ width: 360, height: 480 })
    await page.getByRole('button', { name: 'Redrive …' }).click()
    const button = page.getByRole('button', { name: 'Redrive', exact: true })
    await button.waitFor()
    const box = await button.boundingBox()
    assert.ok(box && box.y + box.height < 480, JSON.stringify(box))
    await button.click()
    // What is missing is said where the reader is.
    await page.getByRole('alert').waitFor()
    const seen = await page.evaluate<boolean>(`new Promise((resolve) =>
      new IntersectionObserver(([entry]) => { if (entry.isIntersecting) resolve(true) })
        .observe(document.querySelector('dialog [role=alert]')))`)
    assert.ok(seen)
  })

  it('are not offered where there is nothing to redrive or discard', async (t) => {
    const idle = { ...stubDestination, counts: { ...stubDestination.counts, dead: 0 } }
    const { url } = await stubConsole(t, () => done, {
      monitor: { overview: () => Promise.resolve(stubOverview([idle])) },
    })
    const page = await openPage(t, `${url}${place}`)
    await page.getByText('Nothing to redrive or discard').waitFor()
    for (const [title, isOffered] of [
      ['Redrive', false],
      ['Discard', false],
      ['Replay', true],
      ['Backfill', true],
    ] as const) {
      const button = page.getByRole('button', { name: `${title} …` })
      assert.equal(await button.isEnabled(), isOffered, title)
    }
  })

  it('lead to jobs that say where something failed', async (t) => {
    const { url } = await stubConsole(t, (address) =>
      address.endsWith('$status') ? { status: 200, body: parameters(job('done')) } : done,
    )
    const page = await openPage(t, `${url}${place}`)
    const row = page.getByRole('row', { name: /^replay 7 done with failures .*1 failed/ })
    await row.locator('.mark-error').waitFor()
    await row.locator('progress.is-bad').waitFor()
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
    const { url } = await stubConsole(t, () => done, {
      health: () =>
        Promise.resolve({ name: 'hospital', isHealthy: false, services: [service1, service2] }),
    })
    const page = await openPage(t, `${url}#/nodes`)
    await page.getByText('hospital: not all services can talk.').waitFor()
    await page.getByText('read after 12 ms').waitFor()
    await page.getByText('consumer User:billing: Kafka refuses to let it read.').waitFor()
    await assertAccessible(page, 'nodes with health')
  })

  it('are offered to who may write, where the server has them', async (t) => {
    const reader = await stubConsole(t, () => done, { mayWrite: false })
    const page = await openPage(t, `${reader.url}${place}`)
    await page.getByRole('heading', { name: 'Counts' }).waitFor()
    assert.equal(await page.locator('.actions button').count(), 0)
    const old = await stubConsole(t, () => done, {
      monitor: { operations: ['status', 'redrive'] },
    })
    const other = await openPage(t, `${old.url}${place}`)
    await other.getByRole('button', { name: 'Redrive …' }).waitFor()
    assert.deepEqual(await other.locator('.actions button').allInnerTexts(), ['Pause', 'Redrive …'])
  })

  it('stand on a page that gets no stream, because too many are open', async (t) => {
    const { url } = await stubConsole(t, () => done)
    const page = await openPage(t, `${url}#/nodes`)
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
