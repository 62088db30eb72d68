import assert from 'node:assert/strict'
import { before, describe, it } from 'node:test'
import type { KafkaParameterValues } from '../../../src/kafka/parameter-table.ts'
import type { PreflightFinding } from '../../../src/kafka/preflight/findings.ts'
import { preflight } from '../../../src/kafka/preflight/preflight.ts'
import { startMockKafka } from '../../../src/server/embedded/embedded-kafka.ts'
import { allow, type Right } from '../../helpers/kafka-acls.ts'
import { putScramUsers } from '../../helpers/kafka-principals.ts'
import {
  consumeRecords,
  newTopic,
  privateKafka,
  testKafka,
  uniqueName,
  type KafkaAddresses,
} from '../../helpers/kafka.ts'
import { TokenEndpoint } from '../../helpers/token-endpoint.ts'
import {
  certificateFile,
  mutualTlsListener,
  passwordLogin,
  saslListener,
  tokenLogin,
} from './logins.ts'
import { transactionalProducer } from './producers.ts'
import { record } from './records.ts'

const timeoutMs = 30_000

/** With a checkpoint on the topic itself, as by default. */
async function look(
  values: KafkaParameterValues,
  name: string,
  limitMs = timeoutMs,
): Promise<readonly PreflightFinding[]> {
  const transactions = { name, checkpoint: { topic: undefined } }
  return preflight({ values, transactions }, { timeoutMs: limitMs })
}

function named(
  findings: readonly PreflightFinding[],
  severity: PreflightFinding['severity'] = 'error',
): string[] {
  return findings.flatMap((each) =>
    each.severity === severity ? [each.causeName ?? each.message] : [],
  )
}

describe('preflight', () => {
  let kafka: KafkaAddresses
  before(async () => {
    kafka = await testKafka()
  })

  async function user(
    ...rights: readonly Right[]
  ): Promise<Omit<KafkaParameterValues, 'kafkaTopic'>> {
    const name = uniqueName('preflight')
    await putScramUsers(kafka.bootstrapServers, { [name]: 'word' })
    if (rights.length > 0) await allow(kafka.bootstrapServers, `User:${name}`, ...rights)
    return { ...saslListener(kafka), ...passwordLogin('SCRAM-SHA-512', name, 'word') }
  }

  const onTopic = (resourceName: string, ...operations: readonly Right['operation'][]): Right[] =>
    operations.map((operation) => ({ operation, resourceType: 'TOPIC', resourceName }))
  const onNames = (resourceName: string): Right[] => [
    { operation: 'WRITE', resourceType: 'TRANSACTIONAL_ID', resourceName, pattern: 'PREFIXED' },
    { operation: 'READ', resourceType: 'GROUP', resourceName, pattern: 'PREFIXED' },
  ]

  it('finds nothing where all is well, writes no record and fences nobody', async (t) => {
    const { bootstrapServers } = kafka
    const kafkaTopic = await newTopic(bootstrapServers)
    const name = uniqueName('running')
    const values = { kafkaTopic, bootstrapServers }
    const producer = transactionalProducer(t, values, name)
    await producer.start()
    assert.deepEqual(await look(values, name), [])
    await producer.sendPage([record(kafkaTopic, 'after')])
    const records = await consumeRecords(bootstrapServers, kafkaTopic, 1)
    assert.deepEqual(
      records.map(({ key, offset }) => [key, offset]),
      [['after', 0]],
    )
  })

  it('finds nothing with the least rights', async () => {
    const kafkaTopic = await newTopic(kafka.bootstrapServers)
    const name = uniqueName('least')
    const rights = [...onTopic(kafkaTopic, 'WRITE', 'READ'), ...onNames(name)]
    const findings = await look({ kafkaTopic, ...(await user(...rights)) }, name)
    assert.deepEqual([named(findings), named(findings, 'warning')], [[], []])
  })

  it('finds everything at once: names, ports, certificates and the login', async () => {
    const login = await user()
    const values: KafkaParameterValues = {
      kafkaTopic: 'any',
      ...login,
      bootstrapServers: `nosuch.invalid:9092,127.0.0.1:9,${kafka.saslBootstrapServers}`,
      saslJaasConfig: login.saslJaasConfig?.replace('"word"', '"wrong"') ?? '',
    }
    assert.deepEqual(
      new Set(named(await look(values, 'any'))),
      new Set(['login-refused', 'name-not-resolved', 'unreachable']),
    )
    const tls = (certificate: string): KafkaParameterValues => ({
      kafkaTopic: 'any',
      ...mutualTlsListener(kafka),
      sslTruststoreCertificates: certificateFile(kafka, certificate),
    })
    assert.deepEqual(named(await look(tls('rogue-ca.crt'), 'any')), [
      'broker-certificate-untrusted',
    ])
    assert.equal(named(await look(tls('test-ca.crt'), 'any')).length, 1)
  })

  it('finds that there is no token to log in with, and for which parameter', async (t) => {
    const endpoint = await TokenEndpoint.start(t)
    const login = { ...saslListener(kafka), ...tokenLogin(endpoint, { clientSecret: 'wrong' }) }
    const findings = await look({ kafkaTopic: 'any', ...login }, 'any')
    assert.deepEqual(named(findings), ['token-not-issued'])
    assert.match(findings[0]?.message ?? '', /^The token endpoint .* refused the client/)
  })

  it('tells a missing topic from one that must not be seen and one that must not be written', async () => {
    const { bootstrapServers } = kafka
    const missing = { kafkaTopic: uniqueName('missing'), bootstrapServers }
    assert.deepEqual(named(await look(missing, 'any')), ['topic-unknown'])
    const kafkaTopic = await newTopic(bootstrapServers)
    const name = uniqueName('rights')
    const hidden = { kafkaTopic, ...(await user(...onNames(name))) }
    assert.deepEqual(named(await look(hidden, name)), ['topic-forbidden'])
    const readOnly = await user(...onTopic(kafkaTopic, 'READ'), ...onNames(name))
    const findings = await look({ kafkaTopic, ...readOnly }, name)
    assert.deepEqual(named(findings), ['topic-forbidden'])
  })

  it('finds the missing rights on transactional ids and groups, and how they are to be granted', async () => {
    const kafkaTopic = await newTopic(kafka.bootstrapServers)
    const name = uniqueName('rights')
    const topicRights = onTopic(kafkaTopic, 'WRITE', 'READ')
    const findings = await look({ kafkaTopic, ...(await user(...topicRights)) }, name)
    assert.deepEqual(named(findings), ['transactional-id-forbidden'])
    const said = findings.find(({ severity }) => severity === 'error')?.message ?? ''
    assert.match(said, new RegExp(`"${name}_preflight".*grant the right for the prefix "${name}"`))
    const [write] = onNames(name)
    assert.ok(write)
    const values = { kafkaTopic, ...(await user(...topicRights, write)) }
    const without = await look(values, name)
    assert.deepEqual([named(without), named(without, 'warning')], [[], ['group-forbidden']])
  })

  it('only warns of a missing topic that its first record creates, and does not create it', async (t) => {
    const settings = { 'auto.create.topics.enable': 'true' }
    const creating = await privateKafka(t, { settings })
    const mock = await startMockKafka()
    t.after(() => mock.stop())
    for (const { bootstrapServers } of [creating, mock]) {
      const kafkaTopic = uniqueName('missing')
      const found = [await look({ kafkaTopic, bootstrapServers }, 'any')]
      found.push(await look({ kafkaTopic, bootstrapServers }, 'any'))
      for (const findings of found) {
        assert.deepEqual(named(findings), [])
        assert.deepEqual(named(findings, 'warning'), ['topic-created-by-use'])
      }
    }
  })

  it('compares maxRequestSize with the limit of the topic', async () => {
    const { bootstrapServers } = kafka
    const config = { 'max.message.bytes': '5000' }
    const kafkaTopic = await newTopic(bootstrapServers, { config })
    const larger = await look({ kafkaTopic, bootstrapServers, maxRequestSize: 6000 }, 'any')
    assert.deepEqual(named(larger, 'warning'), ['topic-limit-smaller'])
    const equal = await look({ kafkaTopic, bootstrapServers, maxRequestSize: 5000 }, 'any')
    assert.deepEqual(equal, [])
  })

  it('finds too few replicas, and a transaction log that cannot be made', async (t) => {
    const settings = { 'transaction.state.log.replication.factor': '3' }
    const { bootstrapServers } = await privateKafka(t, { settings })
    const config = { 'min.insync.replicas': '2' }
    const kafkaTopic = await newTopic(bootstrapServers, { config })
    const findings = await look({ kafkaTopic, bootstrapServers }, 'any', 8000)
    assert.deepEqual(named(findings), ['too-few-replicas', 'coordinator-unavailable'])
  })

  it('answers at the deadline with what it knows', async (t) => {
    const broker = await privateKafka(t)
    broker.pause()
    const values = {
      kafkaTopic: 'any',
      bootstrapServers: `nosuch.invalid:9092,${broker.bootstrapServers}`,
    }
    const findings = await look(values, 'any', 1500)
    broker.resume()
    assert.ok(named(findings).includes('name-not-resolved'))
    assert.match(findings.at(-1)?.message ?? '', /not come to an end within 1500 ms/)
  })
})
