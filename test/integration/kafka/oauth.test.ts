import assert from 'node:assert/strict'
import { before, describe, it } from 'node:test'
import type { KafkaParameterValues } from '../../../src/kafka/parameter-table.ts'
import { toProducerConfig } from '../../../src/kafka/producer-config.ts'
import { createIdempotentProducer } from '../../../src/kafka/rdkafka-idempotent-producer.ts'
import {
  consumeRecords,
  newTopic,
  privateKafka,
  testKafka,
  uniqueName,
  type KafkaAddresses,
} from '../../helpers/kafka.ts'
import { recordingProxy } from '../../helpers/recording-proxy.ts'
import { recordingLogger, type LogLine } from '../../helpers/recording-logger.ts'
import { TokenEndpoint } from '../../helpers/token-endpoint.ts'
import { jaas, passwordLogin, saslListener, tokenLogin } from './logins.ts'
import {
  Causes,
  idempotentProducer,
  plainPageProducer,
  sent,
  transactionalProducer,
} from './producers.ts'
import { keysOf, record } from './records.ts'

describe('login with tokens', () => {
  let kafka: KafkaAddresses
  before(async () => {
    kafka = await testKafka()
  })

  function login(
    kafkaTopic: string,
    endpoint: TokenEndpoint,
    options?: Parameters<typeof tokenLogin>[1],
  ): KafkaParameterValues {
    return {
      kafkaTopic,
      ...saslListener(kafka),
      ...tokenLogin(endpoint, options),
      maxBlockMs: 5000,
    }
  }

  it('lets every kind of producer in, with its checkpoint, by one token for all of them', async (t) => {
    const endpoint = await TokenEndpoint.start(t)
    const kafkaTopic = await newTopic(kafka.bootstrapServers)
    const values = login(kafkaTopic, endpoint)
    await sent(idempotentProducer(t, values), record(kafkaTopic, 'best effort'))
    const paged = plainPageProducer(t, values)
    await paged.start()
    await paged.sendPage([record(kafkaTopic, 'page')])
    const transactional = transactionalProducer(t, values, uniqueName('oauth'))
    await transactional.start()
    assert.equal(await transactional.readCheckpoint(), undefined)
    await transactional.sendPage([record(kafkaTopic, 'transaction')], () => Promise.resolve(7))
    assert.equal(await transactional.readCheckpoint(), 7)
    const read = await consumeRecords(kafka.bootstrapServers, kafkaTopic, 3)
    assert.deepEqual(keysOf(read), ['best effort', 'page', 'transaction'])
    assert.equal(endpoint.calls.length, 1)
  })

  it('goes on over the end of tokens: the broker asks for a new login, and gets the next one', async (t) => {
    const endpoint = await TokenEndpoint.start(t)
    endpoint.lifetimeSeconds = 4
    const proxy = await recordingProxy(t)
    const broker = await privateKafka(t, { advertisedSaslPort: proxy.port })
    proxy.forwardTo(broker.saslBootstrapServers)
    const kafkaTopic = await newTopic(broker.bootstrapServers)
    const values = {
      ...login(kafkaTopic, endpoint),
      bootstrapServers: `127.0.0.1:${proxy.port}`,
      maxBlockMs: 60_000,
    }
    const bestEffort = idempotentProducer(t, values)
    const transactional = transactionalProducer(t, values, uniqueName('oauth'))
    await transactional.start()
    for (const count of [1, 2, 3, 4]) {
      await endpoint.untilCalls(count)
      await sent(bestEffort, record(kafkaTopic, `best effort ${count}`))
      await transactional.sendPage([record(kafkaTopic, `transaction ${count}`)], () =>
        Promise.resolve(count),
      )
      assert.equal(await transactional.readCheckpoint(), count)
    }
    const [first = '', ...next] = endpoint.tokens
    for (const token of [first, ...next.slice(0, 2)]) await proxy.untilSent(bearer(token))
    assert.ok(Date.now() > claimsOf(first).exp * 1000, 'the first token has expired')
  })

  it('says why there is no token, and goes on by itself when there is one', async (t) => {
    const endpoint = await TokenEndpoint.start(t)
    const kafkaTopic = await newTopic(kafka.bootstrapServers)
    const lines: LogLine[] = []
    const causes = new Causes()
    const values = login(kafkaTopic, endpoint, { clientSecret: 'Zx9-not-yet-known' })
    const producer = createIdempotentProducer(
      toProducerConfig(values, 'best-effort'),
      recordingLogger(lines),
      causes,
    )
    t.after(() => producer.close(0))
    const delivery = sent(producer, record(kafkaTopic, 'a'))
    await causes.until(/The token endpoint .* refused the client: invalid_client/)
    endpoint.override = (response) => response.writeHead(503).end()
    await causes.until(/not a token response \(status 503\)/)
    endpoint.override = undefined
    endpoint.clockSkewSeconds = -7200
    endpoint.clientSecret = 'Zx9-not-yet-known'
    await causes.until(/has expired already; check the clocks/)
    endpoint.clockSkewSeconds = 0
    await delivery
    const told = JSON.stringify([lines, causes.heard])
    for (const secret of [
      'Zx9',
      Buffer.from('fhir-server:Zx9-not-yet-known').toString('base64'),
      ...endpoint.tokens,
    ]) {
      assert.ok(!told.includes(secret), secret)
    }
  })

  it('fails a start at once with the words of the endpoint, and the next start succeeds', async (t) => {
    const endpoint = await TokenEndpoint.start(t)
    const kafkaTopic = await newTopic(kafka.bootstrapServers)
    endpoint.override = (response) => response.writeHead(503).end()
    const values = login(kafkaTopic, endpoint)
    const name = uniqueName('oauth')
    await assert.rejects(transactionalProducer(t, values, name).start(), {
      kind: 'fatal',
      message:
        /^The token endpoint http:\/\/127\.0\.0\.1:\d+\/oauth2\/token gave an answer that is not a token response \(status 503\)\.$/,
    })
    endpoint.override = undefined
    const producer = transactionalProducer(t, values, name)
    await producer.start()
    await producer.sendPage([record(kafkaTopic, 'a')])
    await endpoint.stop()
    const another = login(kafkaTopic, endpoint, { more: 'scope=a' })
    const down = transactionalProducer(t, another, 'down')
    await assert.rejects(down.start(), {
      message: /^The token endpoint .* cannot be reached \(\w+\)\.$/,
    })
    // Who is logged in does not notice.
    await producer.sendPage([record(kafkaTopic, 'b')])
  })

  it('says that the broker refused the token, without the token', async (t) => {
    const endpoint = await TokenEndpoint.start(t)
    endpoint.signature = 'c2lnbmF0dXJl'
    const causes = new Causes()
    const producer = transactionalProducer(t, login('any', endpoint), 'refused', causes)
    const said = await producer.start().then(
      () => '',
      (error: unknown) => String(error),
    )
    assert.match(said, /refused the login/)
    for (const token of endpoint.tokens) assert.ok(![said, ...causes.heard].join().includes(token))
  })

  it('tries a login out with an unsecured token', async (t) => {
    const kafkaTopic = await newTopic(kafka.bootstrapServers)
    const of = (user: string): KafkaParameterValues => ({
      kafkaTopic,
      ...saslListener(kafka),
      saslMechanism: 'OAUTHBEARER',
      saslJaasConfig: jaas('OAUTHBEARER', `unsecuredLoginStringClaim_sub="${user}"`),
    })
    await sent(idempotentProducer(t, of('admin')), record(kafkaTopic, 'a'))
    await assert.rejects(
      sent(idempotentProducer(t, of('alice')), record(kafkaTopic, 'b')),
      /authorization failed/i,
    )
  })

  it('sends the bytes that services which cannot be had here document', async (t) => {
    const proxy = await recordingProxy(t)
    proxy.forwardTo(kafka.saslBootstrapServers)
    const endpoint = await TokenEndpoint.start(t)
    const connectionString =
      'Endpoint=sb://hub.servicebus.windows.net/;SharedAccessKeyName=send;SharedAccessKey=a/b+c='
    const eventHubs: KafkaParameterValues = {
      kafkaTopic: 'any',
      ...saslListener(kafka),
      ...passwordLogin('PLAIN', '$ConnectionString', connectionString),
      bootstrapServers: `127.0.0.1:${proxy.port}`,
    }
    idempotentProducer(t, eventHubs)
    await proxy.untilSent(Buffer.from(`\u0000$ConnectionString\u0000${connectionString}`))
    const more = 'scope="https://hub.servicebus.windows.net/.default"'
    idempotentProducer(t, {
      ...login('any', endpoint, { more }),
      bootstrapServers: `127.0.0.1:${proxy.port}`,
    })
    await endpoint.untilCalls(1)
    assert.equal(
      endpoint.calls[0]?.body.get('scope'),
      'https://hub.servicebus.windows.net/.default',
    )
    await proxy.untilSent(bearer(endpoint.tokens[0] ?? ''))
  })
})

/** First message of a client: https://www.rfc-editor.org/rfc/rfc7628#section-3.1 */
function bearer(token: string): Buffer {
  return Buffer.from(`n,,\u0001auth=Bearer ${token}\u0001\u0001`)
}

function claimsOf(token: string): { readonly exp: number } {
  return JSON.parse(Buffer.from(token.split('.')[1] ?? '', 'base64url').toString()) as {
    exp: number
  }
}
