import assert from 'node:assert/strict'
import { once } from 'node:events'
import { request } from 'node:http'
import { describe, it } from 'node:test'
import { consoleService, eventStream } from './console-service.ts'

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
})
