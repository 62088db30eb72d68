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
})
