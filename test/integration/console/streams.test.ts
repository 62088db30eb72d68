import assert from 'node:assert/strict'
import { EventEmitter, once } from 'node:events'
import { request, type IncomingMessage } from 'node:http'
import type { AddressInfo } from 'node:net'
import { describe, it } from 'node:test'
import express from 'express'
import { consoleRouter, type ConsoleCaller, type SeenResource } from '../../../src/console/index.ts'
import { kafkaTopicDestination } from '../../../src/module.ts'
import type { TailEntry } from '../../../src/monitor/views.ts'
import { createServer } from '../../../src/server/create-server.ts'
import { FhirClient } from '../../helpers/fhir-client.ts'
import { newTopic, testKafka } from '../../helpers/kafka.ts'
import { testDatabase } from '../../helpers/postgres.ts'
import { destinationResource, topicResource } from '../../helpers/topic-resources.ts'
import { untilOverview } from '../../helpers/until-overview.ts'
import { action, consoleService, eventStream } from './console-service.ts'

const north = 'Organization/north'

/** Reads the events of a tail as `destination resource`. */
class Tail {
  readonly #reader: ReadableStreamDefaultReader<string>
  readonly #seen: string[] = []
  #rest = ''
  /** Id of the last event. */
  position = ''

  constructor(body: ReadableStream<Uint8Array>) {
    this.#reader = body.pipeThrough(new TextDecoderStream()).getReader()
  }

  /** All that came up to and with the wanted one. */
  async until(wanted: string): Promise<readonly string[]> {
    while (!this.#seen.includes(wanted)) {
      const { value, done } = await this.#reader.read()
      assert.ok(!done, `the tail ended without ${wanted}`)
      const lines = `${this.#rest}${value}`.split('\n')
      this.#rest = lines.pop() ?? ''
      for (const line of lines) {
        if (line.startsWith('id: ')) this.position = line.slice(4)
        if (!line.startsWith('data: ')) continue
        for (const { destination, resource } of JSON.parse(line.slice(6)) as TailEntry[])
          this.#seen.push(`${destination.split('/')[1] ?? ''} ${resource}`)
      }
    }
    return this.#seen
  }

  close(): Promise<void> {
    return this.#reader.cancel()
  }
}

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

  it('opens none for who came before the console was closed and is let in after', async (t) => {
    const events = new EventEmitter()
    const [asked, closed] = [once(events, 'asked'), once(events, 'closed')]
    const paths = ['/tail', '/destinations/a']
    let asks = 0
    const { url, router } = await consoleService(t, {
      authorize: async () => {
        if (++asks === paths.length) events.emit('asked')
        await closed
        return { mayWrite: true }
      },
    })
    const opening = paths.map((path) => fetch(`${url}/api${path}`, { headers: eventStream }))
    await asked
    router.close()
    events.emit('closed')
    const opened = await Promise.all(opening)
    assert.deepEqual(
      opened.map(({ status }) => status),
      [503, 503],
    )
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

  it('tells the tail of what a caller may see, and of nothing else', async (t) => {
    const database = await testDatabase(t)
    const { bootstrapServers } = await testKafka()
    const server = await createServer({ databaseUrl: database.connectionString })
    t.after(() => server.close())
    const module = kafkaTopicDestination({
      database: database.connectionString,
      baseUrl: server.url,
      registryLeaseMs: 50,
    })
    server.load(module)
    const app = express()
    const router = consoleRouter({
      module,
      fhir: () => Promise.resolve(undefined),
      authorize: ({ headers }: IncomingMessage) => ({
        mayWrite: false,
        ...(headers['x-user'] === 'north'
          ? { maySee: ({ organization }: SeenResource) => organization === north }
          : {}),
      }),
    })
    app.use(router)
    const listener = app.listen(0, '127.0.0.1')
    await once(listener, 'listening')
    t.after(() => {
      router.close()
      listener.close()
      listener.closeAllConnections()
    })
    await server.listen()
    const fhir = new FhirClient(server.url)
    await fhir.put({ resourceType: 'Organization', id: 'north', name: 'North' })
    const ofNorth = {
      extension: [
        {
          url: 'https://aidbox.app/tenant-organization-id',
          valueReference: { reference: north },
        },
      ],
    }
    for (const [id, meta] of [
      ['all', { tag: [{ code: 'shared' }] }],
      ['north', ofNorth],
    ] as const) {
      await fhir.put({ ...topicResource(id, { resource: 'Patient' }), meta })
      const kafkaTopic = await newTopic(bootstrapServers)
      const kind = 'kafka-best-effort'
      const destination = destinationResource(id, kind, id, kafkaTopic, bootstrapServers)
      await fhir.put({ ...destination, meta: { ...(destination['meta'] as object), ...meta } })
    }
    const { port } = listener.address() as AddressInfo
    const tailOf = async (user: string, position = ''): Promise<Tail> => {
      const url = `http://127.0.0.1:${port}/api/tail`
      const headers = { 'x-user': user, 'last-event-id': position }
      const opened = await fetch(url, { headers })
      assert.ok(opened.body)
      return new Tail(opened.body)
    }
    const [everybody, limited] = [await tailOf('everybody'), await tailOf('north')]
    for (const id of ['first', 'second']) {
      await fhir.put({ resourceType: 'Patient', id, meta: ofNorth })
      await fhir.put({ resourceType: 'Patient', id: `${id}-of-all` })
    }
    await fhir.put({ resourceType: 'Patient', id: 'last', meta: ofNorth })
    assert.deepEqual(await limited.until('north Patient/last'), [
      'north Patient/first',
      'north Patient/second',
      'north Patient/last',
    ])
    const seen = await everybody.until('north Patient/last')
    assert.ok(seen.includes('all Patient/first-of-all'))
    // What waits when a destination is limited is sent all the same, and may be of others.
    const kafkaTopic = await newTopic(bootstrapServers)
    const later = destinationResource(
      'later',
      'kafka-at-least-once',
      'all',
      kafkaTopic,
      bootstrapServers,
    )
    await fhir.put({ ...later, status: 'off' })
    await untilOverview(module.monitor, ({ destinations }) =>
      destinations.some(({ id }) => id === 'later'),
    )
    await fhir.put({ resourceType: 'Patient', id: 'before' })
    await fhir.put({ ...later, meta: { ...(later['meta'] as object), ...ofNorth } })
    await fhir.put({ resourceType: 'Patient', id: 'after', meta: ofNorth })
    const told = await limited.until('later Patient/after')
    assert.deepEqual(told.slice(3), ['north Patient/after', 'later Patient/after'])
    const all = await everybody.until('later Patient/after')
    assert.ok(all.includes('later Patient/before'))
    // What is sent between two streams of a reader is told, too.
    await Promise.all([everybody.close(), limited.close()])
    await fhir.put({ resourceType: 'Patient', id: 'meanwhile', meta: ofNorth })
    await fhir.put({ resourceType: 'Patient', id: 'meanwhile-of-all' })
    await untilOverview(module.monitor, ({ destinations }) =>
      destinations.some(({ id, counts }) => id === 'later' && counts.delivered === 3),
    )
    const again = await tailOf('north', limited.position)
    const toldAgain = await again.until('later Patient/meanwhile')
    assert.deepEqual(toldAgain, ['north Patient/meanwhile', 'later Patient/meanwhile'])
    await again.close()
  })

  it('says that the database does not answer, and shows again what it says then', async (t) => {
    const { url, pool } = await consoleService(t)
    for (const path of ['/destinations/a', '/tail']) {
      const event = path === '/tail' ? 'tail' : 'view'
      const opened = await fetch(`${url}/api${path}`, { headers: eventStream })
      assert.ok(opened.body)
      const events: string[] = []
      for await (const chunk of opened.body.pipeThrough(new TextDecoderStream())) {
        const names = [...chunk.matchAll(/^event: (.*)$/gm)].map(([, name = '']) => name)
        const fresh = names.filter((each) => each !== events.at(-1))
        if (fresh.length === 0) continue
        events.push(...fresh)
        if (events.length === 1) {
          await pool.query('alter table topic_destination.destination rename to away')
        } else if (events.length === 2) {
          await pool.query('alter table topic_destination.away rename to destination')
        } else break
      }
      assert.deepEqual(events, [event, 'away', event], path)
    }
  })
})
