import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { setImmediate as nextTurn } from 'node:timers/promises'
import { kafkaCodes } from '../../../src/kafka/kafka-error.ts'
import { NativeCalls } from '../../../src/kafka/native-calls.ts'
import { toProducerConfig } from '../../../src/kafka/producer-config.ts'
import type { ConnectableClient } from '../../../src/kafka/sliced-connect.ts'

type Done = Parameters<ConnectableClient['getMetadata']>[1]

/** Connects as node-rdkafka does: it makes the client, and asks for metadata by the client's own method. */
class FakeClient {
  readonly askedMs: number[] = []
  readonly outcomes: string[] = []
  readonly #answer: (askedMs: number, done: Done) => void
  readonly #native: ReturnType<ConnectableClient['getClient']>

  constructor(
    answer: (askedMs: number, done: Done) => void,
    end: (ended: () => void) => void = (ended) => {
      ended()
    },
  ) {
    this.#answer = answer
    this.#native = {
      disconnect: (ended) => {
        this.outcomes.push('disconnected')
        end(ended)
      },
    }
  }

  connect(options: { readonly timeout: number }, done: Done): void {
    setImmediate(() => {
      this.getMetadata(options, (error, metadata) => {
        if (!error) this.outcomes.push('ready')
        if (!error) return done(error, metadata)
        this.#native.disconnect(() => {
          done(error)
        })
      })
    })
  }

  getClient(): ReturnType<ConnectableClient['getClient']> {
    return this.#native
  }

  getMetadata({ timeout }: { readonly timeout: number }, done: Done): void {
    this.askedMs.push(timeout)
    this.#answer(timeout, done)
  }

  setOauthBearerToken(): void {
    assert.fail('it has no token')
  }
}

const unanswered = Object.assign(new Error('local: timed out'), { code: kafkaCodes.timedOut })
const refused = Object.assign(new Error('refused'), { code: kafkaCodes.topicAuthorization })
const fails = (_askedMs: number, done: Done): void => {
  done(unanswered)
}
const never = new AbortController().signal

function callsOf(client: FakeClient, bootstrapServers: string): NativeCalls {
  const config = toProducerConfig({ kafkaTopic: 't', bootstrapServers }, 'best-effort')
  return new NativeCalls(client, config, () => undefined)
}

describe('NativeCalls.connect', () => {
  it('asks for metadata in slices that grow, and disconnects when the time is over', async () => {
    const client = new FakeClient(fails)
    await assert.rejects(callsOf(client, 'dead:1').connect(600, never), {
      code: kafkaCodes.timedOut,
    })
    assert.deepEqual(client.askedMs, [100, 200, 100])
    assert.deepEqual(client.outcomes, ['disconnected'])
  })

  it('is ready with the first answer', async () => {
    const client = new FakeClient((askedMs, done) => {
      if (askedMs < 200) done(unanswered)
      else done(null, {})
    })
    await callsOf(client, 'slow:1').connect(3000, never)
    assert.deepEqual(client.askedMs, [100, 200])
    assert.deepEqual(client.outcomes, ['ready'])
  })

  it('does not go on with what is known to be dead when its turns took longer than its time', async (t) => {
    let nowMs = performance.now()
    t.mock.method(performance, 'now', () => nowMs)
    const late = new FakeClient((_askedMs, done) => {
      nowMs += 301
      done(unanswered)
    })
    await assert.rejects(callsOf(late, 'troubled:1').connect(300, never, () => true))
    assert.deepEqual(late.askedMs, [100])
    assert.deepEqual(late.outcomes, ['disconnected'])
  })

  it('lets a cluster that answers pass any number of dead ones', async () => {
    const healthy = async (): Promise<void> => {
      const client = new FakeClient((_askedMs, done) => {
        done(null, {})
      })
      await callsOf(client, 'healthy:1').connect(3000, never)
    }
    await healthy()
    const held: Done[] = []
    const ends: AbortController[] = []
    const dead = Array.from({ length: 100 }, async (_, n) => {
      const over = new AbortController()
      ends.push(over)
      const client = new FakeClient((_askedMs, done) => held.push(done))
      await assert.rejects(
        callsOf(client, `dead-${n}:1`).connect(3000, over.signal),
        /over|timed out/,
      )
    })
    await healthy()
    for (const end of ends) end.abort(new Error('over'))
    for (const done of held) done(unanswered)
    await Promise.all(dead)
  })

  it('lets a cluster that is new pass those that have failed before and wait for a place', async () => {
    for (let n = 0; n < 100; n++) {
      await assert.rejects(callsOf(new FakeClient(fails), `known-${n}:1`).connect(1, never))
    }
    const held: Done[] = []
    const over = new AbortController()
    const dead = Array.from({ length: 100 }, (_, n) => {
      const client = new FakeClient((_askedMs, done) => held.push(done))
      return assert.rejects(callsOf(client, `known-${n}:1`).connect(60_000, over.signal))
    })
    const answering = new FakeClient((_askedMs, done) => {
      done(null, {})
    })
    const isNew = callsOf(answering, 'new:1').connect(3000, never)
    while (held.length === 0) await nextTurn()
    // One place is given up.
    held.shift()?.(refused)
    await isNew
    over.abort(new Error('over'))
    for (const done of held) done(unanswered)
    await Promise.all(dead)
  })

  it('lets others pass while clients of dead clusters do not end', async () => {
    const held: (() => void)[] = []
    const clients = Array.from(
      { length: 5 },
      () => new FakeClient(fails, (ended) => held.push(ended)),
    )
    const dead = clients.map((client, n) =>
      assert.rejects(callsOf(client, `unresolved-${n}:1`).connect(1, never), {
        code: kafkaCodes.timedOut,
      }),
    )
    const endings = (): number => clients.flatMap(({ outcomes }) => outcomes).length
    while (endings() === 0) await nextTurn()
    const answering = new FakeClient((_askedMs, done) => {
      done(null, {})
    })
    const calls = callsOf(answering, 'beside:1')
    await calls.connect(3000, never)
    await calls.disconnect((done) => {
      done()
    }, 3000)
    assert.equal(endings(), 1)
    while (endings() < clients.length || held.length > 0) {
      held.shift()?.()
      await nextTurn()
    }
    await Promise.all(dead)
  })

  it('disconnects when it is called off between two slices', async () => {
    const calledOff = new AbortController()
    const client = new FakeClient((_askedMs, done) => {
      done(unanswered)
      setImmediate(() => {
        calledOff.abort(new Error('called off'))
      })
    })
    await assert.rejects(
      callsOf(client, 'leaving:1').connect(60_000, calledOff.signal),
      /called off/,
    )
    assert.deepEqual(client.askedMs, [100])
    assert.deepEqual(client.outcomes, ['disconnected'])
  })
})
