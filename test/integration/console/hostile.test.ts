import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import type { DestinationDetailView, ListView } from '../../../src/console/api-views.ts'
import type { DeadLetterView } from '../../../src/monitor/views.ts'
import { destinationResource } from '../../helpers/topic-resources.ts'
import { untilOverview } from '../../helpers/until-overview.ts'
import { action, consoleService } from './console-service.ts'

describe('the console against who means it ill', () => {
  it('does nothing with what a caller may not see, whatever else they may do', async (t) => {
    const { url, fhir } = await consoleService(t, {
      authorize: () => ({ mayWrite: true, maySee: ({ reference }) => !reference.endsWith('/a') }),
    })
    const parameters = JSON.stringify({ resourceType: 'Parameters' })
    for (const [method, path, body] of [
      ['GET', '/destinations/a/settings'],
      ['GET', '/destinations/a/status'],
      ['POST', '/destinations/a/status', '{"status":"off"}'],
      ['POST', '/destinations/a/operations/backfill', parameters],
      ['POST', '/topics/a/explain', parameters],
      ['POST', '/topics/a/dry-run', parameters],
      ['GET', '/resource?reference=AidboxTopicDestination/a'],
      ['GET', '/resource?reference=AidboxTopicDestination/a/_history/1'],
      ['GET', '/resource?reference=AidboxSubscriptionTopic/a'],
    ] as const) {
      const answer = await fetch(`${url}/api${path}`, {
        method,
        headers: action,
        ...(body === undefined ? {} : { body }),
      })
      assert.equal(answer.status, 404, `${method} ${path}: ${await answer.text()}`)
    }
    assert.equal((await fhir.status('a')).state, 'active')
  })

  it("names a destination's topic to who may see it", async (t) => {
    const { url } = await consoleService(t, {
      authorize: ({ headers }) => ({
        mayWrite: false,
        ...(headers['x-user'] === 'north' && {
          maySee: ({ reference }) => reference.startsWith('AidboxTopicDestination/'),
        }),
      }),
    })
    const topicIdFor = async (user: string) => {
      const answer = await fetch(`${url}/api/destinations/a`, { headers: { 'x-user': user } })
      return ((await answer.json()) as DestinationDetailView).topicId
    }
    assert.equal(await topicIdFor('everybody'), 'a')
    assert.equal(await topicIdFor('north'), undefined)
  })

  it('shows dead letters from before a destination was limited to an organization to nobody of it alone', async (t) => {
    const north = 'Organization/north'
    const { url, fhir, pool, monitor } = await consoleService(t, {
      authorize: ({ headers }) => ({
        mayWrite: true,
        ...(headers['x-user'] === 'north' && {
          maySee: ({ organization }) => organization === north,
        }),
      }),
    })
    const setAside = (eventNumber: number) =>
      pool.query(
        `insert into topic_destination.dead_letter (destination_id, event_no, event_id, topic_id, interaction, resource_type, resource_id, at, error)
         select id, $1::int, $1::int, topic_id, 'u', 'Patient', 'p', now(), 'too large' from topic_destination.destination`,
        [eventNumber],
      )
    const limitTo = async (...references: readonly string[]) => {
      const destination = destinationResource('a', 'kafka-at-least-once', 'a', 'a', '127.0.0.1:1')
      const extension = references.map((reference) => ({
        url: 'https://aidbox.app/tenant-organization-id',
        valueReference: { reference },
      }))
      await fhir.put({
        ...destination,
        meta: { ...(destination['meta'] as object), ...(extension.length > 0 && { extension }) },
      })
      await untilOverview(monitor, ({ destinations }) =>
        destinations.every(({ organization }) => organization === references[0]),
      )
    }
    const pageOf = async (user: string, query: string) => {
      const response = await fetch(`${url}/api/destinations/a/dead-letters?${query}`, {
        headers: { 'x-user': user },
      })
      const { rows, ...rest } = (await response.json()) as ListView<DeadLetterView>
      return [rows.map(({ eventNumber }) => eventNumber), rest]
    }
    await setAside(1)
    await setAside(2)
    await limitTo('Organization/south')
    await setAside(3)
    await limitTo(north)
    await setAside(4)
    assert.deepEqual(await pageOf('north', 'size=2'), [[4], { hidden: 1, next: '3' }])
    // There may be more behind a page of which nothing is to be seen.
    assert.deepEqual(await pageOf('north', 'size=2&after=3'), [[], { hidden: 2, next: '1' }])
    assert.deepEqual(await pageOf('north', 'size=2&after=1'), [[], {}])
    assert.deepEqual(await pageOf('everybody', 'size=25'), [[4, 3, 2, 1], {}])
  })

  it('lets nobody guess: ten failures of an address in a minute, also of many at once', async (t) => {
    const { url } = await consoleService(t, {
      authorize: () => undefined,
      signIn: {
        open: (secret) => (secret === 'right' ? 'session=1' : undefined),
        close: () => 'session=',
      },
    })
    t.mock.timers.enable({ apis: ['Date'], now: Date.now() })
    const signIn = (secret: string) =>
      fetch(`${url}/api/session`, {
        method: 'POST',
        headers: action,
        body: JSON.stringify({ secret }),
      })
    assert.equal((await signIn('right')).status, 204)
    // All at once: each counts before it is looked at.
    const guesses = await Promise.all(Array.from({ length: 30 }, () => signIn('wrong')))
    const times = (wanted: number) => guesses.filter(({ status }) => status === wanted).length
    assert.deepEqual([times(401), times(429)], [10, 20])
    const refused = await signIn('right')
    assert.equal(refused.status, 429)
    assert.match(refused.headers.get('retry-after') ?? '', /^[1-9]\d?$/)
    assert.match(await refused.text(), /Too many sign-ins have failed/)
    t.mock.timers.tick(60_000)
    for (let index = 0; index < 20; index++) assert.equal((await signIn('right')).status, 204)
  })

  it('reads no large body of somebody who has not signed in', async (t) => {
    const { url } = await consoleService(t, {
      authorize: () => undefined,
      signIn: { open: () => 'session=1', close: () => 'session=' },
    })
    const answer = await fetch(`${url}/api/session`, {
      method: 'POST',
      headers: action,
      body: JSON.stringify({ secret: 'x'.repeat(100_000) }),
    })
    assert.equal(answer.status, 413)
  })

  it('answers no page of another site, even where the host lets it ask', async (t) => {
    const { url } = await consoleService(t)
    const status = async (site: string) =>
      (await fetch(`${url}/api/destinations`, { headers: { 'sec-fetch-site': site } })).status
    assert.equal(await status('cross-site'), 403)
    assert.equal(await status('same-site'), 403)
    assert.equal(await status('same-origin'), 200)
    // Somebody has typed the address.
    assert.equal(await status('none'), 200)
  })

  it('lays its policy on nothing but its own answers', async (t) => {
    const { origin, app } = await consoleService(t, { path: '/' })
    app.use('/page', (_request, response) => {
      response.type('html').send('<p>')
    })
    const page = await fetch(`${origin}/page`)
    assert.equal(page.headers.get('content-security-policy'), null)
    const own = await fetch(`${origin}/`)
    assert.match(own.headers.get('content-security-policy') ?? '', /default-src 'none'/)
    const moved = await fetch(`${origin}/api/nothing`)
    assert.match(moved.headers.get('content-security-policy') ?? '', /default-src 'none'/)
  })
})
