import assert from 'node:assert/strict'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { before, describe, it, type TestContext } from 'node:test'
import { Connection, createTopicsV7 } from '@platformatic/kafka'
import type { KafkaParameterValues } from '../../../src/kafka/parameter-table.ts'
import { allow } from '../../helpers/kafka-acls.ts'
import { putScramUsers, setProducerQuota, signedIdentity } from '../../helpers/kafka-principals.ts'
import {
  createTopic,
  newTopic,
  privateKafka,
  testKafka,
  uniqueName,
  type KafkaAddresses,
} from '../../helpers/kafka.ts'
import { withholdingProxy } from '../../helpers/withholding-proxy.ts'
import {
  mutualTlsListener,
  passwordLogin,
  saslListener,
  saslTlsListener,
  trusting,
} from './logins.ts'
import { Causes, idempotentProducer, sent, transactionalProducer } from './producers.ts'
import { record } from './records.ts'

const kinds = ['best effort', 'at least once'] as const
type Kind = (typeof kinds)[number]

/** What a producer of the kind says and does. */
interface Sending {
  readonly causes: Causes
  /** Resolves when Kafka has the record. A failed attempt of at least once is repeated with a new producer where it must be. */
  readonly delivered: Promise<void>
}

/** Sends one record, and goes on as delivery does until Kafka has it or the test ends. */
function sending(t: TestContext, kind: Kind, values: KafkaParameterValues): Sending {
  const causes = new Causes()
  const one = record(values.kafkaTopic, 'a')
  if (kind === 'best effort') {
    const delivered = sent(idempotentProducer(t, values, causes), one)
    delivered.catch(() => undefined)
    return { causes, delivered }
  }
  const ended = new AbortController()
  t.after(() => {
    ended.abort()
  })
  const name = uniqueName('causes')
  const deliver = async (): Promise<void> => {
    while (!ended.signal.aborted) {
      const producer = transactionalProducer(t, values, name, causes)
      try {
        await producer.start()
        for (;;) {
          try {
            await producer.sendPage([one])
            return
          } catch (error) {
            causes.onError(messageOf(error))
            if ((error as { kind?: string }).kind !== 'retriable') throw error
          }
        }
      } catch (error) {
        causes.onError(messageOf(error))
        await producer.close(0)
      }
    }
  }
  const delivered = deliver()
  delivered.catch(() => undefined)
  return { causes, delivered }
}

/** On a broker that tells other addresses than its own: every client but this one goes on to those. */
async function createTopicDirectly(broker: string, name: string): Promise<void> {
  const [host = '', port = ''] = broker.split(':')
  const connection = new Connection('test-topics')
  await connection.connect(host, Number(port))
  try {
    const topic = { name, numPartitions: 1, replicationFactor: 1, assignments: [], configs: [] }
    await createTopicsV7.api.async(connection, [topic], 30_000, false)
  } finally {
    await connection.close()
  }
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error)
}

describe('causes', () => {
  let kafka: KafkaAddresses
  before(async () => {
    kafka = await testKafka()
  })

  for (const kind of kinds) {
    it(`${kind}: a topic that is missing is named while records wait, and they go when it is there`, async (t) => {
      const { bootstrapServers } = kafka
      const kafkaTopic = uniqueName('missing')
      const { causes, delivered } = sending(t, kind, { kafkaTopic, bootstrapServers })
      await causes.until(new RegExp(`^Unknown topic: Kafka topic "${kafkaTopic}"`))
      await createTopic(bootstrapServers, kafkaTopic)
      await delivered
    })

    it(`${kind}: a quota is told as what it is`, async (t) => {
      const { bootstrapServers } = kafka
      const kafkaTopic = await newTopic(bootstrapServers)
      const user = uniqueName('slow')
      await putScramUsers(bootstrapServers, { [user]: 'word' })
      const rights = (['WRITE', 'DESCRIBE'] as const).flatMap((operation) => [
        { operation, resourceType: 'TOPIC', resourceName: kafkaTopic } as const,
        { operation, resourceType: 'TRANSACTIONAL_ID', resourceName: kafkaTopic } as const,
      ])
      await allow(bootstrapServers, `User:${user}`, ...rights)
      await setProducerQuota(bootstrapServers, user, 1000)
      const values: KafkaParameterValues = {
        kafkaTopic,
        ...saslListener(kafka),
        ...passwordLogin('SCRAM-SHA-256', user, 'word'),
      }
      const causes = new Causes()
      const large = record(kafkaTopic, 'a', Buffer.alloc(20_000, 'x'))
      if (kind === 'best effort') await sent(idempotentProducer(t, values, causes), large)
      else {
        const producer = transactionalProducer(t, values, kafkaTopic, causes)
        await producer.start()
        await producer.sendPage([large])
      }
      await causes.until(/slows this producer down by a quota\. Nothing is lost/)
    })
  }

  it('records that are not acknowledged are told while they wait, and go when the broker acknowledges again', async (t) => {
    const proxy = await withholdingProxy(t)
    const others = ['SASL', 'MTLS', 'SASLSSL'].map((listener) => `${listener}://127.0.0.1:9`)
    const advertised = [`PLAINTEXT://127.0.0.1:${proxy.port}`, ...others].join(',')
    const broker = await privateKafka(t, { settings: { 'advertised.listeners': advertised } })
    proxy.target = Number(broker.bootstrapServers.split(':')[1])
    const bootstrapServers = `127.0.0.1:${proxy.port}`
    const kafkaTopic = uniqueName('topic')
    await createTopicDirectly(broker.bootstrapServers, kafkaTopic)
    proxy.withhold()
    const all = kinds.map((kind) => sending(t, kind, { kafkaTopic, bootstrapServers }))
    for (const { causes } of all) {
      await causes.until(/does not acknowledge records.*\(1 of 1 replicas in sync\).*min\.insync/)
    }
    proxy.release()
    for (const { delivered } of all) await delivered
  })

  it('whose listener is of another kind is told', async (t) => {
    const kafkaTopic = 'any'
    const tls = { securityProtocol: 'SSL', ...trusting(kafka) }
    const login = passwordLogin('PLAIN', 'alice', kafka.users['alice'] ?? '')
    const mixUps = [
      { at: kafka.bootstrapServers, values: tls, says: /does not speak TLS on this port/ },
      {
        at: kafka.mtlsBootstrapServers,
        values: {},
        says: /closed the connection|does not speak plain Kafka on this port/,
      },
      { at: kafka.saslBootstrapServers, values: {}, says: /closed the connection/ },
      {
        at: kafka.bootstrapServers,
        values: { ...saslListener(kafka), ...login },
        says: /takes no login on this port; check securityProtocol/,
      },
    ]
    await Promise.all(
      mixUps.map(async ({ at, values, says }) => {
        const causes = new Causes()
        idempotentProducer(t, { ...values, kafkaTopic, bootstrapServers: at }, causes)
        await causes.until(says)
      }),
    )
  })

  it('that need a broker of their own: certificates, mechanisms and a missing coordinator', async (t) => {
    const directory = await mkdtemp(join(tmpdir(), 'broker-certificates-'))
    t.after(() => rm(directory, { recursive: true }))
    const keystore = async (
      name: string,
      options: { isExpired?: boolean; alternativeName: string },
    ): Promise<string> => {
      const { key, certificate } = signedIdentity(kafka.certificates, name, options)
      const path = join(directory, `${name}.pem`)
      await writeFile(path, `${key}${certificate}`)
      return path
    }
    const expired = { isExpired: true, alternativeName: 'IP:127.0.0.1' }
    const broker = await privateKafka(t, {
      settings: {
        'transaction.state.log.replication.factor': '3',
        'listener.name.sasl.sasl.enabled.mechanisms': 'PLAIN',
        'listener.name.saslssl.ssl.keystore.location': await keystore('expired', expired),
        'listener.name.mtls.ssl.keystore.location': await keystore('another', {
          alternativeName: 'DNS:another.example.org',
        }),
      },
    })
    const overTls = { kafkaTopic: 'any', ...saslTlsListener(broker) }
    const values = { ...overTls, ...passwordLogin('PLAIN', 'a', 'b') }
    const another = { kafkaTopic: 'any', ...mutualTlsListener(broker) }
    const scram = {
      kafkaTopic: 'any',
      ...saslListener(broker),
      ...passwordLogin('SCRAM-SHA-512', 'a', 'b'),
    }
    const { bootstrapServers } = broker
    const coordinator = new Causes()
    const waiting = { kafkaTopic: 'any', bootstrapServers, maxBlockMs: 60_000 }
    const producer = transactionalProducer(t, waiting, 'waiting', coordinator)
    const failing = assert.rejects(producer.start(), /transaction\.state\.log\.replication\.factor/)
    for (const kind of kinds) {
      const { causes } = sending(t, kind, values)
      await causes.until(/certificate of Kafka broker .* has expired/)
      const unknown = sending(t, kind, scram)
      await unknown.causes.until(/not offer this saslMechanism, it offers PLAIN; check saslMech/)
      const other = sending(t, kind, another)
      await other.causes.until(/certificate of Kafka broker .* is not for this host name/)
    }
    const said = await coordinator.until(/transaction\.state\.log\.replication\.factor/)
    assert.match(said, /^Awaiting InitProducerId: /)
    await producer.close(0)
    await failing
  })

  it('transaction.max.timeout.ms of the broker is smaller than a transaction may take', async (t) => {
    const settings = { 'transaction.max.timeout.ms': '30000' }
    const { bootstrapServers } = await privateKafka(t, { settings })
    const producer = transactionalProducer(t, { kafkaTopic: 'any', bootstrapServers }, 'long')
    await assert.rejects(producer.start(), {
      kind: 'fatal',
      kafkaCode: 50,
      message: /larger than the broker allows \(transaction\.max\.timeout\.ms\)/,
    })
  })
})
