import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { boundedRead } from '../../../src/host/bounded-read.ts'
import type { FhirHost } from '../../../src/host/types.ts'

const never: FhirHost['read'] = () => new Promise(() => undefined)
const patient = { resourceType: 'Patient', id: 'a' }
const answers: FhirHost['read'] = () => Promise.resolve(new Map([['Patient/a', patient]]))

describe('a bounded read', () => {
  it('answers what the host answers', async () => {
    const { signal } = new AbortController()
    const read = boundedRead(answers, { timeoutMs: 60_000, signal })
    assert.deepEqual([...(await read(['Patient/a']))], [['Patient/a', patient]])
  })

  it('is given up when it takes too long', async () => {
    const { signal } = new AbortController()
    const read = boundedRead(never, { timeoutMs: 1, signal })
    await assert.rejects(read(['Patient/a']), /has not answered within 1 ms/)
  })

  it('is given up when nobody waits any more, before or after it was asked', async () => {
    const stopping = new AbortController()
    const read = boundedRead(never, { timeoutMs: 60_000, signal: stopping.signal })
    const asked = read(['Patient/a'])
    stopping.abort()
    await assert.rejects(asked, /the module stops/)
    await assert.rejects(read(['Patient/a']), /the module stops/)
  })
})
