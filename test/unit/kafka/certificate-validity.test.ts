import assert from 'node:assert/strict'
import { before, describe, it } from 'node:test'
import { DestinationWarnings } from '../../../src/delivery/destination-warnings.ts'
import type { RegisteredDestination } from '../../../src/delivery/registered-destination.ts'
import { validityNotices } from '../../../src/kafka/certificate-validity.ts'
import type { KafkaParameterValues } from '../../../src/kafka/parameter-table.ts'
import { parameterFaults } from '../../../src/kafka/parameter-faults.ts'
import { parseTopicDestination } from '../../../src/resources/topic-destination.ts'
import { topicDestinationType } from '../../../src/resources/topic-destination-type.ts'
import { loadSecretSource } from '../../../src/resources/secrets.ts'
import { recordingLogger, type LogLine } from '../../helpers/recording-logger.ts'
import { destinationResource } from '../../helpers/topic-resources.ts'
import { selfSigned, type Identity } from './certificates.ts'

const dayMs = 86_400_000
const secrets = loadSecretSource()

describe('the time of certificates', () => {
  let short: Identity
  let long: Identity
  let nowMs: number
  before(() => {
    short = selfSigned('short', { days: 10 })
    long = selfSigned('long', { days: 1000 })
    nowMs = Date.now()
  })

  function client({ key, certificate }: Identity, more: object = {}): KafkaParameterValues {
    return {
      kafkaTopic: 't',
      bootstrapServers: 'a:1',
      securityProtocol: 'SSL',
      sslKeystoreKey: key,
      sslKeystoreCertificateChain: certificate,
      ...more,
    }
  }

  const found = (values: KafkaParameterValues, inDays: number) =>
    validityNotices(values, nowMs + inDays * dayMs).map(
      ({ parameter, isOutside }) => `${parameter} ${isOutside ? 'outside' : 'soon'}`,
    )

  it('is told from 30 days before the end on, and before the begin', () => {
    assert.deepEqual(found(client(long), 0), [])
    assert.deepEqual(found(client(long), 969), [])
    assert.deepEqual(found(client(long), 971), ['sslKeystoreCertificateChain soon'])
    assert.deepEqual(found(client(long), 1001), ['sslKeystoreCertificateChain outside'])
    assert.deepEqual(found(client(long), -1), ['sslKeystoreCertificateChain outside'])
    const [notice] = validityNotices(client(short), nowMs)
    assert.match(
      notice?.message ?? '',
      /^The certificate of "short" in sslKeystoreCertificateChain ends on \d{4}-\d\d-\d\d\.$/,
    )
  })

  it('is that of each certificate of the chain, wherever the chain stands', () => {
    const both = long.certificate + short.certificate
    assert.deepEqual(found(client(long, { sslKeystoreCertificateChain: both }), 11), [
      'sslKeystoreCertificateChain outside',
    ])
    const { sslKeystoreCertificateChain: _, ...keyOnly } = client(long)
    const inKey = { ...keyOnly, sslKeystoreKey: long.key + both }
    assert.deepEqual(found(inKey, 11), ['sslKeystoreKey outside'])
    const keyStore = { path: '/x', password: '', sha256: '', certificate: short.certificate }
    assert.deepEqual(found({ ...keyOnly, sslKeystoreKey: keyStore }, 0), ['sslKeystoreKey soon'])
    const untold = { ...keyStore, certificate: undefined }
    assert.deepEqual(found({ ...keyOnly, sslKeystoreKey: untold }, 0), [])
  })

  it('of authorities matters when none is left that is valid', () => {
    const trusting = (...texts: string[]): KafkaParameterValues => ({
      kafkaTopic: 't',
      bootstrapServers: 'a:1',
      securityProtocol: 'SSL',
      sslTruststoreCertificates: texts.join(''),
    })
    const parameter = 'sslTruststoreCertificates'
    assert.deepEqual(found(trusting(short.certificate), 11), [`${parameter} outside`])
    assert.deepEqual(found(trusting(short.certificate, long.certificate), 11), [])
    assert.deepEqual(found(trusting(short.certificate, long.certificate), 0), [`${parameter} soon`])
  })

  it('does not matter without TLS', () => {
    assert.deepEqual(found(client(short, { securityProtocol: 'PLAINTEXT' }), 11), [])
  })

  it('refuses a write, warns of one, and leaves what is stored alone', (t) => {
    const stored = destinationResource('d', 'kafka-best-effort', 't', 't', 'a:1')
    const parameter = [
      ...(stored['parameter'] as object[]),
      { name: 'securityProtocol', valueString: 'SSL' },
      { name: 'sslKeystoreKey', valueString: short.key },
      { name: 'sslKeystoreCertificateChain', valueString: short.certificate },
    ]
    const resource = { ...stored, parameter }
    const type = topicDestinationType({ secrets })
    const severities = () => {
      const issues = type.validate(resource)
      assert.ok(Array.isArray(issues))
      return issues.map(({ severity, expression }) => [severity, expression?.[0]])
    }
    const path = "AidboxTopicDestination.parameter.where(name='sslKeystoreCertificateChain').value"
    assert.deepEqual(severities(), [['warning', path]])
    t.mock.timers.enable({ apis: ['Date'], now: nowMs + 11 * dayMs })
    assert.deepEqual(severities(), [['error', path]])
    assert.deepEqual(parameterFaults(client(short)), [])
    assert.equal(parseTopicDestination(resource, secrets).parameters.sslKeystoreKey, short.key)
  })

  it('is in the log when a destination comes or changes, and then once a day', async () => {
    const lines: LogLine[] = []
    const destinations = new Map<string, RegisteredDestination>()
    let atMs = nowMs
    const watch = new DestinationWarnings(
      { destinations },
      recordingLogger(lines),
      undefined,
      () => atMs,
    )
    const put = (id: string, values: KafkaParameterValues): void => {
      const resource = destinationResource(id, 'kafka-best-effort', 't', 't', 'a:1')
      const { reference, ...parsed } = parseTopicDestination(resource, secrets)
      const row = { reference } as RegisteredDestination['row']
      const destination = { ...parsed, reference, parameters: values }
      destinations.set(reference, { row, destination, fault: undefined })
    }
    const looked = async (): Promise<string[]> => {
      await watch.look()
      return lines.splice(0).map(({ level, fields }) => `${level} ${String(fields['destination'])}`)
    }
    put('short', client(short))
    put('long', client(long))
    const line = 'warn AidboxTopicDestination/short'
    assert.deepEqual(await looked(), [line])
    assert.deepEqual(await looked(), [])
    atMs += dayMs
    assert.deepEqual(await looked(), [line])
    put('short', client(short, { batchSize: 1 }))
    assert.deepEqual(await looked(), [line])
    destinations.clear()
    assert.deepEqual(await looked(), [])
  })
})
