import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { json, parameters, run, type Answer } from './answering-server.ts'

describe('a server that does not answer', () => {
  it('is given up after a minute, before its answer and in the middle of it', async (t) => {
    t.mock.timers.enable({ apis: ['setTimeout'] })
    const later = (): void => {
      t.mock.timers.tick(60_000)
    }
    const silent: Answer = later
    const unfinished: Answer = (response) => {
      response.writeHead(200, { 'content-type': 'application/fhir+json' })
      response.write('{', later)
    }
    for (const answer of [silent, unfinished]) {
      const { code, err } = await run(t, ['status', 'd'], [answer])
      assert.equal(code, 1)
      assert.match(err, /\/fhir\/\S+ cannot be reached: The time is over\.\n$/)
    }
  })

  it('is left at once when the command is stopped', async (t) => {
    const stop = new AbortController()
    const status = json(parameters({ name: 'status', valueString: 'active' }))
    const args = ['status', 'd', '--watch']
    const { code, requests } = await run(t, args, [status, () => stop.abort()], {
      stopped: () => stop.signal,
    })
    assert.deepEqual([code, requests], [0, 2])
  })
})
