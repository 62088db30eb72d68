import assert from 'node:assert/strict'
import { describe, it, type TestContext } from 'node:test'
import { silentLogger } from '../../../src/observability/logger.ts'
import { EventNotices } from '../../../src/outbox/event-notices.ts'
import { NodeSession } from '../../../src/outbox/node-session.ts'
import { outboxSchema } from '../../../src/outbox/schema.ts'
import { eventually, testOutbox, type Outbox } from './outbox-fixture.ts'

/** A node that hears, and what it has heard. */
async function listen(t: TestContext, { connectionString, schema }: Outbox) {
  const session = new NodeSession({ connectionString }, schema, silentLogger)
  const heard: number[][] = []
  session.onNotice((topicIds) => heard.push([...topicIds].toSorted((a, b) => a - b)))
  t.after(() => session.stop())
  await session.start()
  return { session, heard }
}

describe('notices of new events', () => {
  it('reach every other node; many at once come as few', async (t) => {
    const outbox = await testOutbox(t)
    const [a, b] = [await listen(t, outbox), await listen(t, outbox)]
    const notices = new EventNotices(a.session.db, outbox.schema, silentLogger)
    notices.send([])
    for (let n = 1; n <= 1200; n++) notices.send([n, n + 1])
    await eventually(() => Promise.resolve(b.heard.flat().includes(1201)))
    assert.deepEqual(b.heard[0], [1, 2])
    assert.equal(new Set(b.heard.flat()).size, 1201)
    assert.ok(b.heard.length <= 4, `${b.heard.length} notices`)
  })

  it('are not heard by nodes of another installation in the same database', async (t) => {
    const outbox = await testOutbox(t)
    const a = await listen(t, outbox)
    const other = outboxSchema('other')
    new EventNotices(outbox.db, other, silentLogger).send([1])
    new EventNotices(outbox.db, outbox.schema, silentLogger).send([2])
    await eventually(() => Promise.resolve(a.heard.length > 0))
    assert.deepEqual(a.heard, [[2]])
  })
})
