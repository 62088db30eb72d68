import assert from 'node:assert/strict'
import { describe, it, type TestContext } from 'node:test'
import type { KafkaParameterValues } from '../../../src/kafka/parameter-table.ts'
import { testKafka } from '../../helpers/kafka.ts'
import { silentServer } from '../../helpers/silent-server.ts'
import {
  certificateFile,
  mutualTlsListener,
  passwordLogin,
  saslListener,
  trusting,
} from './logins.ts'
import { Causes, idempotentProducer, transactionalProducer } from './producers.ts'
import { withholdCalls } from './withheld-calls.ts'

const kafkaTopic = 'any'
const ofEachKind = 5

interface Dead {
  readonly values: KafkaParameterValues
  readonly says: RegExp
}

/** Each a login of its own, so that nothing is known of one by another. */
async function deadDestinations(t: TestContext): Promise<readonly Dead[]> {
  const kafka = await testKafka()
  const silent = await silentServer(t)
  const kinds: readonly (readonly [Partial<KafkaParameterValues>, says: RegExp])[] = [
    [{ bootstrapServers: '127.0.0.1:9' }, /cannot be reached: Connection refused/],
    [{ bootstrapServers: 'nosuch.invalid:9092' }, /cannot be resolved/],
    [{ bootstrapServers: silent.address }, /No Kafka broker can be reached/],
    [
      {
        ...mutualTlsListener(kafka),
        sslTruststoreCertificates: certificateFile(kafka, 'rogue-ca.crt'),
      },
      /was not signed by a trusted authority/,
    ],
    [
      {
        bootstrapServers: kafka.bootstrapServers,
        securityProtocol: 'SSL',
        ...trusting(kafka),
      },
      /does not speak TLS on this port/,
    ],
    [{ ...saslListener(kafka), ...passwordLogin('PLAIN', 'alice', 'wrong') }, /refused the login/],
  ]
  return kinds.flatMap(([values, says], kind) =>
    Array.from({ length: ofEachKind }, (_, n) => ({
      values: {
        kafkaTopic,
        bootstrapServers: '',
        ...values,
        requestTimeoutMs: 20_000 + kind * ofEachKind + n,
      },
      says,
    })),
  )
}

describe('destinations that cannot connect', () => {
  it('are told why without waiting for each other, before a connect of one of them has ended', async (t) => {
    const withheld = withholdCalls(t, 'getMetadata')
    const all = (await deadDestinations(t)).map(({ values, says }, n) => {
      const causes = new Causes()
      if (n % 2 === 0) idempotentProducer(t, values, causes)
      else {
        const producer = transactionalProducer(t, values, `dead-${n}`, causes)
        producer.start().catch(() => undefined)
      }
      return { causes, says }
    })
    assert.equal(all.length, 30)
    await Promise.all(all.map(({ causes, says }) => causes.until(says)))
    assert.ok(withheld.count > 0)
  })
})
