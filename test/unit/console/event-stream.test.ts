import assert from 'node:assert/strict'
import type { ServerResponse } from 'node:http'
import { PassThrough } from 'node:stream'
import { it } from 'node:test'
import { EventStream } from '../../../src/console/event-stream.ts'

it('a client to which nothing is told keeps its place by the pings, and is told where to go on at the end', async (t) => {
  t.mock.timers.enable({ apis: ['setInterval'] })
  const written = new PassThrough({ encoding: 'utf8' })
  const response = Object.assign(written, { writeHead: () => written }) as unknown as ServerResponse
  const stream = new EventStream(response, () => Promise.resolve(true))
  stream.position = 'node.1'
  stream.send('tail', '[]')
  const pings = 20
  for (let ping = 1; ping <= pings; ping++) {
    stream.position = `node.${ping + 1}`
    t.mock.timers.tick(15_000)
    // The client is looked at again first.
    await Promise.resolve()
    await Promise.resolve()
  }
  let text = ''
  for await (const chunk of written) text += chunk as string
  const events = text.split('\n\n').filter((block) => block.includes('event: '))
  assert.equal(events[0], 'id: node.1\nevent: tail\ndata: []')
  assert.equal(events[1], 'id: node.2\nevent: ping\ndata: {}')
  assert.equal(events.at(-1), `id: node.${pings + 1}\nevent: again\ndata: {}`)
  assert.equal(events.length, 1 + pings)
})
