import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
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
