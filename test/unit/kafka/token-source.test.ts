import assert from 'node:assert/strict'
import { describe, it, type TestContext } from 'node:test'
import { setImmediate as nextTurn } from 'node:timers/promises'
import { ClientLogin } from '../../../src/kafka/tokens/client-login.ts'
import type { LoginToken } from '../../../src/kafka/tokens/login-token.ts'
import { TokenFailure } from '../../../src/kafka/tokens/token-failure.ts'
import type { TokenRequest } from '../../../src/kafka/tokens/token-request.ts'
import { TokenSource, type TokenListener } from '../../../src/kafka/tokens/token-source.ts'
import { TokenSources } from '../../../src/kafka/tokens/token-sources.ts'

const never = new AbortController().signal

/** Timers and clock go by `tick` alone. Answers: a lifetime in milliseconds, `hangs`, or the words of a failure. */
function scriptedSource(
  t: TestContext,
  answers: readonly (number | string)[],
  maxBackoffMs?: number,
) {
  t.mock.timers.enable({ apis: ['setTimeout', 'Date'], now: 1_000_000 })
  const askedAtMs: number[] = []
  const signals: AbortSignal[] = []
  const source = new TokenSource({
    random: () => 1,
    ...(maxBackoffMs === undefined ? {} : { maxBackoffMs }),
    fetchToken: (signal) => {
      const answer = answers[askedAtMs.length]
      askedAtMs.push(Date.now() - 1_000_000)
      signals.push(signal)
      if (answer === 'hangs') return new Promise(() => undefined)
      if (typeof answer === 'number') {
        return Promise.resolve({ text: `t${askedAtMs.length}`, expiresAtMs: Date.now() + answer })
      }
      return Promise.reject(answer === undefined ? new Error('Zx9') : new TokenFailure(answer))
    },
  })
  return {
    source,
    askedAtMs,
    signals,
    tick: async (ms: number): Promise<void> => {
      t.mock.timers.tick(ms)
      await nextTurn()
    },
  }
}

function listener(): TokenListener & { readonly heard: string[] } {
  const heard: string[] = []
  return {
    heard,
    onToken: ({ text }) => heard.push(text),
    onFailure: (message) => heard.push(message),
  }
}

describe('TokenSource', () => {
  it('fetches the next token when 80 % of the lifetime are over', async (t) => {
    const { source, askedAtMs, tick } = scriptedSource(t, [10_000, 5000, 60_000])
    const own = listener()
    source.add(own)
    await nextTurn()
    assert.equal((await source.current(1000, never)).text, 't1')
    await tick(7999)
    assert.deepEqual(askedAtMs, [0])
    await tick(1)
    await tick(4000)
    assert.deepEqual(askedAtMs, [0, 8000, 12_000])
    assert.deepEqual(own.heard, ['t1', 't2', 't3'])
    source.remove(own)
  })

  it('tries again with back-off, keeps the token it has, and tells why', async (t) => {
    const { source, askedAtMs, tick } = scriptedSource(t, [10_000, 'a', 'b', 'c', 'd', 'e', 10_000])
    const own = listener()
    source.add(own)
    await nextTurn()
    await tick(8000)
    assert.equal((await source.current(0, never)).text, 't1')
    await tick(2000)
    await tick(4000)
    await assert.rejects(source.current(1000, never), { name: 'TokenFailure', message: 'c' })
    for (const ms of [8000, 10_000, 10_000]) await tick(ms)
    assert.deepEqual(askedAtMs, [0, 8000, 10_000, 14_000, 22_000, 32_000, 42_000])
    assert.deepEqual(own.heard, ['t1', 'a', 'b', 'c', 'd', 'e', 't7'])
    assert.equal((await source.current(0, never)).text, 't7')
    source.remove(own)
  })

  it('refuses a token that has expired already, and tells nothing of an error that nobody expected', async (t) => {
    const { source, tick } = scriptedSource(t, [0])
    const own = listener()
    source.add(own)
    await nextTurn()
    await tick(2000)
    assert.match(own.heard[0] ?? '', /has expired already; check the clocks/)
    assert.equal(own.heard[1], 'The login token could not be fetched.')
    source.remove(own)
  })

  it('ends with the last listener: its fetch is aborted, nothing is fetched any more', async (t) => {
    const { source, askedAtMs, signals, tick } = scriptedSource(t, [2000, 2000, 'hangs'])
    const [one, other] = [listener(), listener()]
    source.add(one)
    source.add(other)
    await nextTurn()
    source.remove(one)
    await tick(1600)
    assert.deepEqual(askedAtMs, [0, 1600])
    assert.deepEqual([one.heard, other.heard], [['t1'], ['t1', 't2']])
    await tick(1600)
    assert.equal(signals[2]?.aborted, false)
    source.remove(other)
    assert.equal(signals[2].aborted, true)
    await tick(100_000)
    assert.deepEqual(askedAtMs, [0, 1600, 3200])
    await assert.rejects(source.current(1000, never), TokenFailure)
  })

  it('waits a second between fetches, however short a lifetime or a back-off is', async (t) => {
    const { source, askedAtMs, tick } = scriptedSource(t, [1, 'a', 'b', 10_000], 0)
    const own = listener()
    source.add(own)
    await nextTurn()
    for (let second = 1; second <= 3; second++) {
      await tick(999)
      assert.equal(askedAtMs.length, second)
      await tick(1)
    }
    assert.deepEqual(askedAtMs, [0, 1000, 2000, 3000])
    assert.deepEqual(own.heard, ['t1', 'a', 'b', 't4'])
    source.remove(own)
  })

  it('gives a fetch up that hangs, says so, and fetches again', async (t) => {
    const { source, askedAtMs, signals, tick } = scriptedSource(t, ['hangs', 60_000])
    const own = listener()
    source.add(own)
    const waiting = assert.rejects(source.current(15_000, never), /no login token within 12000 ms/)
    await tick(11_999)
    assert.deepEqual(own.heard, [])
    await tick(1)
    await waiting
    assert.equal(signals[0]?.aborted, true)
    await tick(2000)
    assert.deepEqual(askedAtMs, [0, 14_000])
    assert.equal(own.heard.at(-1), 't2')
    source.remove(own)
  })

  it('does not wait for ever for a token', async () => {
    const source = new TokenSource({ fetchToken: () => new Promise(() => undefined) })
    const own = listener()
    source.add(own)
    await assert.rejects(source.current(10, never), /did not come in time/)
    const calledOff = new AbortController()
    const waiting = source.current(60_000, calledOff.signal)
    calledOff.abort()
    await assert.rejects(waiting, TokenFailure)
    source.remove(own)
  })
})

const request: TokenRequest = { kind: 'unsecured', subject: 'alice', lifetimeSeconds: 60 }

describe('TokenSources', () => {
  it('has one source for the same request, until its last client is gone', () => {
    let created = 0
    const sources = new TokenSources(() => {
      created++
      return new TokenSource({ fetchToken: () => new Promise(() => undefined) })
    })
    const [one, other, third] = [listener(), listener(), listener()]
    const first = sources.add(request, one)
    assert.equal(sources.add({ ...request }, other), first)
    assert.notEqual(sources.add({ ...request, subject: 'bob' }, third), first)
    assert.equal(created, 2)
    sources.remove(request, one)
    assert.ok(first.isUsed)
    sources.remove(request, other)
    assert.equal(first.isUsed, false)
    assert.notEqual(sources.add(request, one), first)
    sources.remove(request, one)
    sources.remove({ ...request, subject: 'bob' }, third)
  })
})

describe('ClientLogin', () => {
  it('sets tokens between begin and end, and never while a call is under way', async () => {
    const listeners: TokenListener[] = []
    class Scripted extends TokenSource {
      override add(added: TokenListener): void {
        listeners.push(added)
      }
      override current(): Promise<LoginToken> {
        return Promise.resolve(token('first'))
      }
    }
    const token = (text: string): LoginToken => ({ text, expiresAtMs: Number.POSITIVE_INFINITY })
    const sources = new TokenSources(
      () => new Scripted({ fetchToken: () => Promise.resolve(token('')) }),
    )
    const set: string[] = []
    const failures: string[] = []
    const login = new ClientLogin(
      { setOauthBearerToken: (text) => set.push(text) },
      request,
      (message) => failures.push(message),
      sources,
    )
    await login.begin(never)
    const [source] = listeners
    assert.deepEqual(set, ['first'])
    const answer = login.during(async () => {
      source?.onToken(token('overtaken'))
      await login.during(() => Promise.resolve())
      source?.onToken(token('second'))
      assert.deepEqual(set, ['first'])
      return 7
    })
    assert.equal(await answer, 7)
    assert.deepEqual(set, ['first', 'second'])
    await assert.rejects(login.during(() => Promise.reject(new Error('failed'))))
    source?.onToken(token('third'))
    source?.onFailure('why')
    login.end()
    login.end()
    source?.onToken(token('disconnecting'))
    await login.during(() => Promise.resolve())
    assert.deepEqual(set, ['first', 'second', 'third'])
    assert.deepEqual(failures, ['why'])
  })

  it('a client that does not take a token keeps it from no other one, and is offered it again', async (t) => {
    const { source, tick } = scriptedSource(t, [10_000, 60_000])
    const sources = new TokenSources(() => source)
    const newClient = () => {
      const client = { set: [] as string[], failures: [] as string[], isRefusing: false }
      const setOauthBearerToken = (text: string): void => {
        if (client.isRefusing) throw new Error(`not a token: ${text}`)
        client.set.push(text)
      }
      const onFailure = (message: string) => client.failures.push(message)
      const login = new ClientLogin({ setOauthBearerToken }, request, onFailure, sources)
      return { client, login }
    }
    const [one, other, late] = [newClient(), newClient(), newClient()]
    await Promise.all([one.login.begin(never), other.login.begin(never)])
    one.client.isRefusing = true
    await tick(8000)
    assert.deepEqual([one.client.set, other.client.set], [['t1'], ['t1', 't2']])
    const failures = ['The Kafka client did not take the login token.']
    assert.deepEqual([one.client.failures, other.client.failures], [failures, []])
    assert.equal(await one.login.during(() => Promise.resolve(7)), 7, 'the call itself succeeds')
    one.client.isRefusing = false
    await one.login.during(() => Promise.resolve())
    assert.deepEqual(one.client.set, ['t1', 't2'])
    late.client.isRefusing = true
    await assert.rejects(late.login.begin(never), { name: 'TokenFailure', message: failures[0] })
    for (const { login } of [one, other, late]) login.end()
  })
})
