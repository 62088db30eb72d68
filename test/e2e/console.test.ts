import assert from 'node:assert/strict'
import { connect, type Socket } from 'node:net'
import { after, before, describe, it } from 'node:test'
import type { Browser, BrowserContext, Page } from 'playwright-core'
import { closeBrowser, testBrowser } from '../helpers/browser.ts'
import {
  assertAccessible,
  openPage,
  themes,
  widths,
  type PageOptions,
} from '../helpers/console-page.ts'
import { FhirClient } from '../helpers/fhir-client.ts'
import { consumeRecords, createTopic, privateKafka, type KafkaBroker } from '../helpers/kafka.ts'
import { testDatabase, type CleanUp, type TestDatabase } from '../helpers/postgres.ts'
import { startServerProcess, type ServerProcess } from '../helpers/server-process.ts'
import { tcpServer } from '../helpers/tcp-server.ts'
import { destinationResource, topicResource } from '../helpers/topic-resources.ts'

const token = 'token-of-the-console-test'

/** One server, one broker and one browser for all: each test has a session of its own. */
class Scene {
  readonly database: TestDatabase
  readonly kafka: KafkaBroker
  readonly server: ServerProcess
  readonly browser: Browser
  readonly fhir: FhirClient

  private constructor(parts: {
    database: TestDatabase
    kafka: KafkaBroker
    server: ServerProcess
    browser: Browser
  }) {
    this.database = parts.database
    this.kafka = parts.kafka
    this.server = parts.server
    this.browser = parts.browser
    this.fhir = new FhirClient(parts.server.url, { authorization: `Bearer ${token}` })
  }

  static async start(name: string): Promise<Scene> {
    const database = await testDatabase({ name })
    const kafka = await privateKafka({ name })
    const [server, browser] = await Promise.all([
      startServerProcess({
        DATABASE_URL: database.connectionString,
        KAFKA_BOOTSTRAP_SERVERS: kafka.bootstrapServers,
        AUTH_TOKEN: token,
      }),
      testBrowser(),
    ])
    return new Scene({ database, kafka, server, browser })
  }

  async close(): Promise<void> {
    await closeBrowser()
    await this.server.stop()
    await this.kafka.stop()
  }

  get url(): string {
    return this.server.url.replace(/\/fhir$/, '/console/')
  }

  /** A page that has signed in. */
  async page(t: Pick<CleanUp, 'after'>, options?: PageOptions): Promise<Page> {
    const page = await openPage(t, this.url, options)
    await signIn(page)
    return page
  }
}

async function signIn(page: Page): Promise<void> {
  await page.getByLabel('Token of the server').fill(token)
  await page.getByRole('button', { name: 'Sign in' }).click()
  await page.getByRole('heading', { level: 1, name: 'Destinations' }).waitFor()
}

async function goTo(page: Page, hash: string, heading: RegExp | string): Promise<void> {
  await page.evaluate(`location.hash = ${JSON.stringify(hash)}`)
  await page.getByRole('heading', { level: 1, name: heading }).waitFor()
}

const patient = (id: string, more: object = {}) => ({ resourceType: 'Patient', id, ...more })

describe('the console in a browser', () => {
  let scene: Scene

  before(async (t) => {
    scene = await Scene.start(t.name)
    const { fhir, kafka } = scene
    await fhir.put(topicResource('patients', { resource: 'Patient' }))
    await fhir.put(
      topicResource('adults', {
        resource: 'Patient',
        fhirPathCriteria: 'birthDate < @2000-01-01',
      }),
    )
    await fhir.put(
      topicResource('unclear', { resource: 'Patient', fhirPathCriteria: 'name.single().exists()' }),
    )
    for (const id of ['flowing', 'paused', 'small', 'unclear']) {
      const config = id === 'small' ? { 'max.message.bytes': '2000' } : {}
      await createTopic(kafka.bootstrapServers, id, { config })
      await fhir.put(
        destinationResource(
          id,
          'kafka-at-least-once',
          id === 'unclear' ? 'unclear' : 'patients',
          id,
          kafka.bootstrapServers,
          id === 'paused' ? { status: 'off' } : {},
        ),
      )
    }
    await fhir.put(
      destinationResource('refused', 'kafka-at-least-once', 'patients', 'x', '127.0.0.1:1'),
    )
    await createTopic(kafka.bootstrapServers, 'effort')
    await fhir.put(
      destinationResource(
        'effort',
        'kafka-best-effort',
        'patients',
        'effort',
        kafka.bootstrapServers,
      ),
    )
    const long = 'x'.repeat(4000)
    await fhir.put(
      patient('first', {
        birthDate: '1980-01-01',
        name: [{ family: 'Private' }, { family: long }],
      }),
    )
    await fhir.untilStatus('refused', ({ errors }) => errors.length > 0)
    await fhir.untilStatus('small', ({ count }) => count('messagesDead') === 1)
    await fhir.untilStatus('unclear', ({ count }) => count('messagesUndecided') === 1)
  })

  after(async () => {
    await scene.close()
  })

  it('asks for the token, keeps it out of the address, and ends the session', async (t) => {
    const context: BrowserContext = await scene.browser.newContext({ locale: 'en-US' })
    t.after(() => context.close())
    const page = await context.newPage()
    await page.goto(scene.url)
    await page.getByLabel('Token of the server').fill('wrong')
    await page.getByRole('button', { name: 'Sign in' }).click()
    await page.getByText('This is not the right token or password.').waitFor()
    await assertAccessible(page, 'sign-in')
    await signIn(page)
    assert.ok(!page.url().includes(token))
    const [cookie] = await context.cookies()
    assert.ok(cookie)
    assert.deepEqual([cookie.httpOnly, cookie.sameSite, cookie.path], [true, 'Strict', '/console/'])
    assert.ok(!scene.server.stderr().includes(token))
    await page.getByRole('button', { name: 'Sign out' }).click()
    await page.getByLabel('Token of the server').waitFor()
    assert.deepEqual(await context.cookies(), [])
  })

  for (const theme of themes) {
    for (const width of widths) {
      it(`every page is accessible and fits, ${theme}, ${width} px`, async (t) => {
        const page = await scene.page(t, { width, theme })
        assert.equal(await page.evaluate('document.documentElement.dataset.theme'), theme)
        await page.getByRole('link', { name: 'refused' }).waitFor()
        await assertAccessible(page, 'destinations')
        for (const id of ['refused', 'small', 'unclear', 'effort']) {
          await goTo(page, `#/destinations/${id}`, new RegExp(id))
          await page.getByRole('heading', { name: 'Parameters' }).waitFor()
          await page.getByRole('rowheader', { name: 'kafkaTopic' }).waitFor()
          await assertAccessible(page, id)
        }
        await goTo(page, '#/topics', 'Topics')
        await page.getByRole('link', { name: 'adults' }).waitFor()
        await assertAccessible(page, 'topics')
        await goTo(page, '#/topics/adults', /adults/)
        await page.getByRole('heading', { name: 'Dry run' }).waitFor()
        await assertAccessible(page, 'topic')
        await goTo(page, '#/tail', 'Live tail')
        await assertAccessible(page, 'tail')
        await goTo(page, '#/nodes', 'Nodes')
        await page.getByText('answers you').waitFor()
        await assertAccessible(page, 'nodes')
        await goTo(page, '#/nowhere', 'No such page')
        await assertAccessible(page, 'no such page')
      })
    }
  }

  it('has what is wrong on top, and says why', async (t) => {
    const page = await scene.page(t)
    const first = page.locator('tbody tr').first()
    await first.getByRole('link', { name: 'refused' }).waitFor()
    assert.match(await first.innerText(), /Stuck/)
    assert.match(await first.innerText(), /127\.0\.0\.1:1 cannot be reached/)
    await page.getByText('Of 6 destinations: 1 is stuck, 2 need attention.').waitFor()
    await page.getByLabel('State').selectOption('attention')
    await page.getByRole('link', { name: 'refused' }).waitFor({ state: 'detached' })
    assert.deepEqual(await page.locator('tbody tr th a').allInnerTexts(), ['small', 'unclear'])
    await page.getByLabel('State').selectOption('')
    await page.getByLabel('Find by id').fill('PAUS')
    await page.getByRole('link', { name: 'small' }).waitFor({ state: 'detached' })
    assert.deepEqual(await page.locator('tbody tr th a').allInnerTexts(), ['paused'])
  })

  it('is used by keyboard: skip link, links, and a heading that has the focus', async (t) => {
    const page = await scene.page(t)
    await page.getByRole('link', { name: 'flowing' }).waitFor()
    await page.evaluate('document.activeElement.blur()')
    await page.keyboard.press('Tab')
    assert.equal(await page.evaluate('document.activeElement.textContent'), 'Skip to content')
    await page.keyboard.press('Enter')
    assert.equal(await page.evaluate('document.activeElement.id'), 'main')
    await page.getByRole('link', { name: 'Topics' }).focus()
    await page.keyboard.press('Enter')
    await page.getByRole('heading', { level: 1, name: 'Topics' }).waitFor()
    await page.locator('h1:focus').waitFor()
    assert.match(await page.title(), /^Topics/)
  })

  it('switches the theme and remembers it', async (t) => {
    const page = await scene.page(t)
    const shown = () => page.evaluate('document.documentElement.dataset.theme')
    assert.equal(await shown(), 'light')
    await page.getByLabel('Theme').selectOption('dark')
    assert.equal(await shown(), 'dark')
    await page.reload()
    await page.getByRole('heading', { level: 1 }).waitFor()
    assert.equal(await shown(), 'dark')
  })

  it('pauses and resumes a destination', async (t) => {
    const page = await scene.page(t)
    await goTo(page, '#/destinations/flowing', /flowing/)
    await page.getByRole('button', { name: 'Pause' }).click()
    await page.getByRole('button', { name: 'Resume' }).waitFor()
    assert.equal((await scene.fhir.status('flowing')).state, 'off')
    await page.getByRole('button', { name: 'Resume' }).click()
    await page.getByRole('button', { name: 'Pause' }).waitFor()
    assert.equal((await scene.fhir.status('flowing')).state, 'active')
  })

  it('lists dead letters and undecided events, and shows a resource when asked', async (t) => {
    const page = await scene.page(t)
    await goTo(page, '#/destinations/small', /small/)
    const letters = page.getByRole('region', { name: 'Dead letters' })
    await letters.getByRole('button', { name: 'Patient/first' }).waitFor()
    assert.ok(!(await page.content()).includes('Private'))
    await letters.getByRole('button', { name: 'Patient/first' }).click()
    const dialog = page.getByRole('dialog')
    await dialog.getByText('"family": "Private"').waitFor()
    await page.keyboard.press('Escape')
    await dialog.waitFor({ state: 'detached' })
    await goTo(page, '#/destinations/unclear', /unclear/)
    await page
      .getByRole('region', { name: 'Undecided events' })
      .getByRole('button', { name: 'Patient/first' })
      .waitFor()
  })

  it('explains a topic and runs it dry', async (t) => {
    const page = await scene.page(t)
    await goTo(page, '#/topics/adults', /adults/)
    await page.getByLabel('Version after the change').fill('Patient/first')
    await page.getByRole('button', { name: 'Explain' }).click()
    await page.getByText('The topic fires on this change.', { exact: true }).waitFor()
    const child = { resourceType: 'Patient', birthDate: '2020-01-01' }
    await page.getByLabel('Version after the change').fill(JSON.stringify(child))
    await page.getByRole('button', { name: 'Explain' }).click()
    await page.getByText('The topic does not fire on this change.', { exact: true }).waitFor()
    await page.getByLabel('Version after the change').fill('Patient/none')
    await page.getByRole('button', { name: 'Explain' }).click()
    await page.getByText('There is no Patient/none.').waitFor()
    await page.getByRole('button', { name: 'Run' }).click()
    await page.getByText(/It would have fired on \d+ of \d+ changes/).waitFor()
    await assertAccessible(page, 'topic with answers')
  })

  it('shows what is sent as it happens, both kinds, and holds on', async (t) => {
    const page = await scene.page(t)
    await goTo(page, '#/tail', 'Live tail')
    await page.getByText('Waiting for notifications').waitFor()
    // The first look only remembers where the queues stand.
    let number = 0
    const shown = page.getByRole('row').filter({ hasText: 'flowing' })
    while ((await shown.count()) === 0) {
      await scene.fhir.put(patient('tail', { multipleBirthInteger: ++number }))
      await scene.fhir.untilStatus('flowing', ({ count }) => count('messagesQueued') === 0)
    }
    await page
      .getByRole('row')
      .filter({ hasText: 'effort' })
      .filter({ hasText: 'handed over' })
      .first()
      .waitFor()
    assert.match(await shown.first().innerText(), /Patient\/tail/)
    await assertAccessible(page, 'tail with entries')
    await page.getByRole('button', { name: 'Hold' }).click()
    await page.getByRole('button', { name: 'Go on' }).waitFor()
  })

  it('shows the numbers of SQL and of a consumer while events come and a broker is away', async (t) => {
    const { fhir, kafka, database } = scene
    const page = await scene.page(t)
    await goTo(page, '#/destinations/flowing', /flowing/)
    const shown = async (name: string): Promise<number> =>
      Number((await page.locator(`[data-count=${name}]`).innerText()).replaceAll(',', ''))
    /** Resolves when the page shows counts that add up to `sum`. Its policy lets Playwright wait for no condition of ours. */
    const untilShown = (sum: number, ...names: readonly string[]): Promise<void> =>
      page.evaluate(`new Promise((resolve, reject) => {
        const main = document.querySelector('main')
        const shown = (name) => document.querySelector('[data-count=' + name + ']')?.textContent.replaceAll(',', '')
        const look = () => {
          if (${JSON.stringify(names)}.reduce((sum, name) => sum + Number(shown(name)), 0) === ${sum}) resolve()
        }
        new MutationObserver(look).observe(main, { subtree: true, childList: true, characterData: true })
        setTimeout(() => reject(new Error('${names.join(' + ')} is not ${sum}: ' + main.innerText)), 60_000)
        look()
      })`)
    const stored = async (): Promise<{ delivered: number; waiting: number }> => {
      const { rows } = await database.pool.query<{ delivered: string; events: string }>(
        `select d.delivered, (select count(*) from topic_destination.event e where e.topic_id = d.topic_id and e.id > d.pos) as events
           from topic_destination.destination d where d.reference = 'AidboxTopicDestination/flowing'`,
      )
      return { delivered: Number(rows[0]?.delivered), waiting: Number(rows[0]?.events) }
    }
    for (let index = 0; index < 20; index++) await fhir.put(patient(`up-${index}`))
    await fhir.untilStatus('flowing', ({ count }) => count('messagesQueued') === 0)
    const first = await stored()
    await untilShown(first.delivered, 'delivered')
    assert.equal(
      (await consumeRecords(kafka.bootstrapServers, 'flowing', first.delivered)).length,
      first.delivered,
    )

    await kafka.kill()
    for (let index = 0; index < 30; index++) await fhir.put(patient(`down-${index}`))
    assert.equal((await stored()).waiting, 30)
    await untilShown(30, 'queued', 'inProcess')
    await page.locator('h1 .mark-stuck').waitFor()
    assert.equal(await shown('delivered'), first.delivered)
    const why = page.locator('p.why').filter({ hasText: /broker|connect/i })
    await why.locator('strong', { hasText: /^What to do: / }).waitFor()

    await kafka.restart()
    await untilShown(first.delivered + 30, 'delivered')
    await untilShown(0, 'queued', 'inProcess')
    const records = await consumeRecords(kafka.bootstrapServers, 'flowing', first.delivered + 30)
    assert.deepEqual(records.length, (await stored()).delivered)
    await page.locator('h1 .mark-ok').waitFor()
  })

  it('says that the database is away, and goes on when it is back', async (t) => {
    const page = await scene.page(t)
    await page.getByRole('link', { name: 'flowing' }).waitFor()
    await page.getByText('Live', { exact: true }).waitFor()
    await scene.database.pool.query('alter table topic_destination.destination rename to away')
    t.after(() =>
      scene.database.pool.query(
        'alter table if exists topic_destination.away rename to destination',
      ),
    )
    await page.getByText('The database does not answer: what is shown is from before.').waitFor()
    await page.getByText('Not connected').waitFor()
    await page.getByRole('link', { name: 'flowing' }).waitFor()
    await scene.database.pool.query('alter table topic_destination.away rename to destination')
    await page.getByText('Live', { exact: true }).waitFor()
    assert.equal(await page.getByRole('alert').count(), 0)
  })

  it('says how long the oldest event waits while nothing else happens', async (t) => {
    const { fhir, kafka } = scene
    await fhir.put(topicResource('devices', { resource: 'Device' }))
    await fhir.put(
      destinationResource(
        'waiting',
        'kafka-at-least-once',
        'devices',
        'waiting',
        kafka.bootstrapServers,
        { status: 'off' },
      ),
    )
    await fhir.put({ resourceType: 'Device', id: 'waiting' })
    const page = await scene.page(t)
    await page.clock.install()
    await goTo(page, '#/destinations/waiting', /waiting/)
    const oldest = page.locator('[data-count=oldest]')
    await oldest.filter({ hasText: / s since / }).waitFor()
    await page.clock.fastForward(3_600_000)
    await oldest.filter({ hasText: /^1 h since / }).waitFor()
  })

  it('says that a connection is dead that nobody has closed', async (t) => {
    const sockets = new Set<Socket>()
    let isDead = false
    const proxy = await tcpServer(t, (client) => {
      const server = connect(Number(new URL(scene.url).port), '127.0.0.1')
      for (const [from, to] of [
        [client, server],
        [server, client],
      ] as const) {
        sockets.add(from)
        from.on('error', () => undefined)
        from.on('close', () => to.destroy())
        from.on('data', (chunk) => {
          if (!isDead) to.write(chunk)
        })
      }
    })
    const page = await openPage(t, `http://${proxy.address}/console/`)
    await page.clock.install()
    await signIn(page)
    await page.getByRole('link', { name: 'flowing' }).waitFor()
    isDead = true
    await page.clock.fastForward(45_000)
    await page.getByText('Not connected').waitFor()
    isDead = false
    for (const socket of sockets) socket.destroy()
    await page.getByText('Live', { exact: true }).waitFor()
  })

  it('says that the server is away, and goes on when it is back', async (t) => {
    const page = await scene.page(t)
    await page.getByRole('link', { name: 'flowing' }).waitFor()
    // What is open is not cut; the next page meets a server that cannot be reached.
    await page.route('**/console/api/**', (route) => route.abort('connectionrefused'))
    await page.evaluate("location.hash = '#/topics'")
    await page.getByText('Not connected').waitFor()
    await page.unroute('**/console/api/**')
    await page.getByRole('link', { name: 'adults' }).waitFor()
    await page.getByText('Live', { exact: true }).waitFor()
  })
})
