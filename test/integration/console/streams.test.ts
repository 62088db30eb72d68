import assert from 'node:assert/strict'
import { once } from 'node:events'
import { request } from 'node:http'
import { describe, it } from 'node:test'
import type { ConsoleCaller } from '../../../src/console/index.ts'
import { action, consoleService, eventStream } from './console-service.ts'

describe('streams of the console', () => {
  it('gives no room to a client that has gone before it was let in', async (t) => {
    let isLeaving = true
    let onAsked = (): void => undefined
    const { url } = await consoleService(t, {
      authorize: async ({ socket }) => {
        if (isLeaving) {
          const closed = once(socket, 'close')
          onAsked()
          await closed
        }
        return { mayWrite: true }
      },
    })
    for (let index = 0; index < 210; index++) {
      const asked = new Promise<void>((resolve) => {
        onAsked = resolve
      })
      const leaving = request(`${url}/api/tail`, { agent: false })
      leaving.on('error', () => undefined)
      const gone = new Promise((resolve) => leaving.once('close', resolve))
      leaving.end()
      await asked
      leaving.destroy()
      await gone
    }
    isLeaving = false
    // Asked after all those: what they left is known by then.
    assert.equal((await fetch(`${url}/api/session`)).status, 200)
    const opened = await fetch(`${url}/api/destinations/a`, { headers: eventStream })
    assert.equal(opened.status, 200)
    await opened.body?.cancel()
  })

  it('answers HEAD as other requests, and streams what a proxy may not collect', async (t) => {
    const { url } = await consoleService(t)
    const head = await fetch(`${url}/api/destinations`, { method: 'HEAD', headers: eventStream })
    assert.deepEqual(
      [head.status, head.headers.get('content-type')],
      [200, 'application/json; charset=utf-8'],
    )
    for (const method of ['HEAD', 'POST']) {
      const refused = await fetch(`${url}/api/tail`, { method, headers: action })
      assert.deepEqual([refused.status, refused.headers.get('allow')], [405, 'GET'], method)
    }
    const opened = await fetch(`${url}/api/tail`)
    assert.equal(opened.headers.get('cache-control'), 'no-store, no-transform')
    await opened.body?.cancel()
  })

  it('follows the rights of who listens, and has them proved anew after five minutes', async (t) => {
    // Before the service ends, which clears intervals of its own.
    t.after(() => {
      t.mock.timers.reset()
    })
    let caller: ConsoleCaller = { mayWrite: true }
    const { url } = await consoleService(t, { authorize: () => caller })
    t.mock.timers.enable({ apis: ['setInterval'] })
    const opened = await fetch(`${url}/api/destinations`, { headers: eventStream })
    assert.ok(opened.body)
    let text = ''
    for await (const chunk of opened.body.pipeThrough(new TextDecoderStream())) {
      text += chunk
      if (text.includes('"total":1') && !caller.maySee) {
        caller = { mayWrite: true, maySee: () => false }
        t.mock.timers.tick(15_000)
      }
      // The middleware that knows a session has seen the first request alone.
      if (text.includes('"total":0')) t.mock.timers.tick(300_000)
    }
    assert.match(text, /event: again\ndata: \{\}\n\n$/)
  })
})
