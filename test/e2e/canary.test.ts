import assert from 'node:assert/strict'
import { copyFile, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { before, describe, it, type TestContext } from 'node:test'
import { fileURLToPath } from 'node:url'
import { encrypted, selfSigned } from '../unit/kafka/certificates.ts'
import { FhirClient, type FhirAnswer } from '../helpers/fhir-client.ts'
import { newTopic, testKafka, uniqueName, type KafkaAddresses } from '../helpers/kafka.ts'
import { testDatabase } from '../helpers/postgres.ts'
import { startServerProcess, type ServerProcess } from '../helpers/server-process.ts'
import { destinationResource, topicResource } from '../helpers/topic-resources.ts'

const crashingServer = fileURLToPath(new URL('crashing-server.ts', import.meta.url))
const observedServer = fileURLToPath(new URL('observed-server.ts', import.meta.url))
const kinds = ['kafka-at-least-once', 'kafka-best-effort'] as const
type Kind = (typeof kinds)[number]
type Parameter = Readonly<Record<string, unknown>> & { readonly name: string }

const text = (name: string, valueString: string): Parameter => ({ name, valueString })
const secret = (name: string, secretName: string): Parameter => ({
  name,
  _valueString: {
    extension: [{ url: 'http://health-samurai.io/fhir/secret-reference', valueString: secretName }],
  },
})
const jaas = (module: 'plain.Plain' | 'scram.Scram', password: string): string =>
  `org.apache.kafka.common.security.${module}LoginModule required username="admin" password="${password}";`

/** Words that must turn up nowhere but in Kafka and in what their owner reads back. */
class Canaries {
  readonly words: string[] = []

  /** A new word. */
  of(where: string): string {
    return this.plant(uniqueName(`canary${where}`).replace('-', ''))
  }

  /** One that exists already. */
  plant(word: string): string {
    this.words.push(word)
    return word
  }

  assertNoneIn(output: string, what: string): void {
    for (const word of this.words) {
      const at = output.indexOf(word)
      assert.ok(at < 0, `${word} in ${what}: ${output.slice(Math.max(0, at - 300), at + 100)}`)
    }
  }
}

/** A server with destinations of every kind and fate, and everything it says. */
class WatchedServer {
  readonly canaries = new Canaries()
  readonly log: string[] = []
  readonly answers: string[] = []
  readonly ids: string[] = []
  readonly kafka: KafkaAddresses
  readonly folder: string
  readonly process: ServerProcess
  readonly fhir: FhirClient

  private constructor(kafka: KafkaAddresses, folder: string, server: ServerProcess, log: string[]) {
    this.kafka = kafka
    this.folder = folder
    this.process = server
    this.fhir = new FhirClient(server.url)
    this.log = log
  }

  static async start(t: TestContext, entry?: string): Promise<WatchedServer> {
    const { connectionString } = await testDatabase(t)
    const kafka = await testKafka()
    const folder = await mkdtemp(join(tmpdir(), 'canary-vault-'))
    t.after(() => rm(folder, { recursive: true }))
    const scope = { resource_type: 'AidboxTopicDestination' }
    const store = { path: 'store', format: 'pkcs12', password_path: 'store-password', scope }
    const texts = ['jaas', 'key'].map((name) => [name, { path: name, scope }] as const)
    const vault = { secret: { ...Object.fromEntries(texts), store } }
    await writeFile(join(folder, 'vault.json'), JSON.stringify(vault))
    const log: string[] = []
    const environment = {
      DATABASE_URL: connectionString,
      KAFKA_BOOTSTRAP_SERVERS: kafka.bootstrapServers,
      VAULT_CONFIG: join(folder, 'vault.json'),
      SECRET_CHECK_INTERVAL_MS: '50',
      LOG_LEVEL: 'trace',
    }
    const server = await startServerProcess(environment, entry, (line) => log.push(line))
    t.after(() => server.kill())
    const watched = new WatchedServer(kafka, folder, server, log)
    await watched.fhir.put(topicResource('patients', { resource: 'Patient' }))
    return watched
  }

  async certificate(name: string): Promise<string> {
    return readFile(join(this.kafka.certificates, name), 'utf8')
  }

  async writeSecret(name: string, content: string): Promise<void> {
    await writeFile(join(this.folder, name), content)
  }

  resource(id: string, kind: Kind, kafkaTopic: string, parameters: readonly Parameter[]) {
    const made = destinationResource(
      id,
      kind,
      'patients',
      kafkaTopic,
      this.kafka.bootstrapServers,
      {
        enableLogging: true,
        logLevel: 'trace',
      },
    )
    const kept = (made['parameter'] as Parameter[]).filter(
      ({ name }) => !parameters.some((each) => each.name === name),
    )
    return { ...made, parameter: [...kept, ...parameters] }
  }

  async create(id: string, kind: Kind, parameters: readonly Parameter[]): Promise<void> {
    const kafkaTopic = await newTopic(this.kafka.bootstrapServers)
    this.ids.push(id)
    const resource = this.resource(id, kind, kafkaTopic, parameters)
    const answer = await this.ask('PUT', `/AidboxTopicDestination/${id}`, resource)
    assert.ok(answer.status < 300, `${id}: ${JSON.stringify(answer.body)}`)
  }

  async assertRefused(body: object | string): Promise<void> {
    const answer = await this.ask('PUT', '/AidboxTopicDestination/refused', body)
    assert.ok([400, 422].includes(answer.status), `${answer.status} for ${JSON.stringify(body)}`)
  }

  /** Keeps the answer. */
  async ask(method: string, path: string, body?: unknown): Promise<FhirAnswer> {
    const answer = await this.fhir.request(method, path, body)
    this.answers.push(`${method} ${path}: ${JSON.stringify(answer.body)}`)
    return answer
  }

  async statuses(): Promise<void> {
    for (const id of this.ids) {
      for (const path of ['', '/$status', '/_history']) {
        await this.ask('GET', `/AidboxTopicDestination/${id}${path}`)
      }
    }
    await this.ask('GET', '/AidboxTopicDestination')
  }

  async metrics(): Promise<string> {
    const answer = await fetch(new URL('/metrics', this.process.url))
    const series = await answer.text()
    this.answers.push(series)
    return series
  }

  assertSilent(): void {
    this.canaries.assertNoneIn(this.log.join('\n'), 'the log')
    this.canaries.assertNoneIn(this.answers.join('\n'), 'the answers')
  }
}

/** Destinations that work and that do not, each kind with each. */
async function createDestinations(server: WatchedServer): Promise<void> {
  const { canaries, kafka } = server
  const { saslBootstrapServers, mtlsBootstrapServers, certificatePassword, users } = kafka
  const rightPassword = canaries.plant(users['admin'] ?? '')
  canaries.plant(certificatePassword)
  const encryptedKey = await server.certificate('client.encrypted.key')
  canaries.plant(encryptedKey.split('\n')[2] ?? '')
  await server.writeSecret('jaas', jaas('scram.Scram', rightPassword))
  await server.writeSecret('key', encryptedKey)
  await server.writeSecret('store-password', certificatePassword)
  await copyFile(join(kafka.certificates, 'client.p12'), join(server.folder, 'store'))
  const short = { name: 'maxBlockMs', valueInteger: 1000 }
  const sasl = (mechanism: string, ...more: readonly Parameter[]): readonly Parameter[] => [
    text('bootstrapServers', saslBootstrapServers),
    text('securityProtocol', 'SASL_PLAINTEXT'),
    text('saslMechanism', mechanism),
    short,
    ...more,
  ]
  const tls = [
    text('bootstrapServers', mtlsBootstrapServers),
    text('securityProtocol', 'SSL'),
    text('sslTruststoreCertificates', await server.certificate('test-ca.crt')),
    short,
  ]
  const chain = text('sslKeystoreCertificateChain', await server.certificate('client.crt'))
  const fates: Readonly<Record<string, readonly Parameter[]>> = {
    works: sasl('PLAIN', text('saslJaasConfig', jaas('plain.Plain', rightPassword))),
    'works-by-reference': sasl('SCRAM-SHA-512', secret('saslJaasConfig', 'jaas')),
    'wrong-plain': sasl(
      'PLAIN',
      text('saslJaasConfig', jaas('plain.Plain', canaries.of('password'))),
    ),
    'wrong-scram': sasl(
      'SCRAM-SHA-256',
      text('saslJaasConfig', jaas('scram.Scram', canaries.of('scrampassword'))),
    ),
    dead: [
      ...sasl('PLAIN', text('saslJaasConfig', jaas('plain.Plain', canaries.of('dead')))).slice(1),
      text('bootstrapServers', '127.0.0.1:1'),
    ],
    'mutual-tls': [
      ...tls,
      chain,
      secret('sslKeystoreKey', 'key'),
      text('sslKeyPassword', certificatePassword),
    ],
    'key-store': [...tls, secret('sslKeystoreKey', 'store')],
    'too-small': [{ name: 'maxRequestSize', valueInteger: 1000 }],
  }
  for (const kind of kinds) {
    for (const [fate, parameters] of Object.entries(fates)) {
      await server.create(`${fate}-${kind}`, kind, parameters)
    }
  }
}

/** Writes that are refused, each with a secret in it. */
async function tryRefused(server: WatchedServer): Promise<void> {
  const { canaries } = server
  const { key, certificate } = selfSigned('refused')
  const tls = [text('securityProtocol', 'SSL'), text('sslKeystoreCertificateChain', certificate)]
  const sasl = [text('securityProtocol', 'SASL_PLAINTEXT'), text('saslMechanism', 'PLAIN')]
  const refused: readonly (readonly Parameter[])[] = [
    [...sasl, text('saslJaasConfig', canaries.of('nojaas'))],
    [...sasl, text('saslJaasConfig', jaas('plain.Plain', `a" ${canaries.of('brokenjaas')}`))],
    [...sasl, text('saslJaasConfig', jaas('plain.Plain', canaries.of('unclosed')).slice(0, -2))],
    [...sasl, text('saslJaasConfig', jaas('scram.Scram', canaries.of('othermodule')))],
    [...sasl, text('saslJaasConfig', `${canaries.of('module')} required username="u";`)],
    [...sasl, text('saslJaasConfig', `com.example.Module ${canaries.of('flag')} username="u";`)],
    [...sasl, { name: 'saslJaasConfig', valueInteger: canaries.of('typed') }],
    [...sasl, secret('saslJaasConfig', canaries.of('secretname'))],
    [...tls, text('sslKeystoreKey', canaries.of('nokey'))],
    [...tls, text('sslKeystoreKey', key.replace(/\n.{20}/, `\n${canaries.of('brokenkey')}`))],
    [...tls, text('sslKeystoreKey', selfSigned('other').key)],
    [
      ...tls,
      text('sslKeystoreKey', encrypted(key, 'right')),
      text('sslKeyPassword', canaries.of('keypassword')),
    ],
    [text(canaries.of('parametername'), canaries.of('parametervalue'))],
    [text('batchSize', canaries.of('number'))],
    [text('saslMechanism', canaries.of('mechanism'))],
    [text('securityProtocol', canaries.of('protocol'))],
    [text('compressionType', canaries.of('codec'))],
    [text('saslClientCallbackHandlerClass', canaries.of('handler'))],
    [text('sslTruststoreCertificates', canaries.of('authority'))],
    [text('sslKeyPassword', canaries.of('one')), text('sslKeyPassword', canaries.of('two'))],
  ]
  canaries.plant(key.split('\n')[1] ?? '')
  for (const kind of kinds) {
    for (const parameters of refused) {
      await server.assertRefused(server.resource('refused', kind, 'any', parameters))
    }
  }
  await server.assertRefused(`{"resourceType":"AidboxTopicDestination",${canaries.of('nojson')}`)
}

/** Patients whose every text is a canary: delivered, too large, undecidable, refused by the database and by validation. */
async function writePatients({ canaries, fhir }: WatchedServer): Promise<void> {
  const patient = (id: string, more: object = {}) => ({
    resourceType: 'Patient',
    id,
    identifier: [{ system: 'urn:x', value: canaries.of('identifier') }],
    name: [{ family: canaries.of('family') }, { family: canaries.of('otherfamily') }],
    ...more,
  })
  for (let n = 1; n <= 3; n++) await fhir.put(patient(`p${n}`))
  await fhir.put(
    patient('p1', {
      text: {
        status: 'generated',
        div: `<div xmlns="http://www.w3.org/1999/xhtml">${canaries.of('narrative')}${'x'.repeat(2000)}</div>`,
      },
    }),
  )
  await fhir.put(patient(canaries.of('id')))
  await fhir.ok('DELETE', '/Patient/p2')
  // Whether it takes them is the server's business.
  const odd = [
    patient('p3', { birthDate: canaries.of('birthdate') }),
    patient('p3', { name: [{ text: `${canaries.of('zero')}\u0000` }] }),
    patient('p3', { [canaries.of('element')]: 1 }),
    `{"resourceType":"Patient","id":"p3",${canaries.of('patientjson')}`,
  ]
  for (const body of odd) {
    const { status } = await fhir.request('PUT', '/Patient/p3', body)
    assert.ok(status < 500, String(status))
  }
  const entry = [
    { resource: patient('p4'), request: { method: 'PUT', url: 'Patient/p4' } },
    {
      resource: { resourceType: 'Patient', gender: canaries.of('gender') },
      request: { method: 'POST', url: 'Patient' },
    },
  ]
  const { status } = await fhir.request('POST', '', {
    resourceType: 'Bundle',
    type: 'transaction',
    entry,
  })
  assert.ok(status < 500, String(status))
}

describe('secrets and content of resources', () => {
  before(async () => {
    await testKafka()
  })

  it('are in no line of the log, in no answer to others, no $status, metric, span or channel', async (t) => {
    const server = await WatchedServer.start(t, observedServer)
    const { fhir } = server
    // Its criteria fails on each patient, which has two names.
    await fhir.put(
      topicResource('undecidable', { resource: 'Patient', fhirPathCriteria: "name.family > 'M'" }),
    )
    for (const kind of kinds) {
      const kafkaTopic = await newTopic(server.kafka.bootstrapServers)
      const id = `undecidable-${kind}`
      const { bootstrapServers } = server.kafka
      await fhir.put(destinationResource(id, kind, 'undecidable', kafkaTopic, bootstrapServers))
      server.ids.push(id)
    }
    await createDestinations(server)
    await tryRefused(server)
    await writePatients(server)
    const delivered = ({ count }: { count: (name: string) => number }) =>
      count('messagesDelivered') > 0
    const errs =
      (pattern: RegExp) =>
      ({ errors }: { errors: readonly string[] }) =>
        errors.some((error) => pattern.test(error))
    for (const kind of kinds) {
      await fhir.untilStatus(`works-${kind}`, delivered)
      await fhir.untilStatus(`works-by-reference-${kind}`, delivered)
      for (const fate of ['wrong-plain', 'wrong-scram']) {
        await fhir.untilStatus(`${fate}-${kind}`, errs(/refused the login/))
      }
      await fhir.untilStatus(`dead-${kind}`, errs(/cannot be reached/))
      for (const fate of ['mutual-tls', 'key-store']) {
        await fhir.untilStatus(`${fate}-${kind}`, errs(/authorization failed/i))
      }
      await fhir.untilStatus(`too-small-${kind}`, errs(/too large/i))
      await fhir.untilStatus(`undecidable-${kind}`, ({ count }) => count('messagesUndecided') > 0)
    }
    // Secrets that can be used no more.
    await server.writeSecret('jaas', server.canaries.of('rotatedjaas'))
    await server.writeSecret('key', server.canaries.of('rotatedkey'))
    await server.writeSecret('store-password', server.canaries.of('rotatedpassword'))
    for (const kind of kinds) {
      for (const fate of ['works-by-reference', 'mutual-tls', 'key-store']) {
        await fhir.untilStatus(`${fate}-${kind}`, ({ state }) => state === 'error')
      }
    }
    await server.statuses()
    assert.match(await server.metrics(), /^fhir_topic_destination_events_dead\{/m)
    assert.equal(await server.process.stop(), 0)
    server.assertSilent()
    const log = server.log.join('\n')
    for (const told of [
      ...[/refused the login/, /too large/i, /topic-destination\/status/],
      ...[
        /^span: .*"send /m,
        /^span: .*relay"/m,
        /^channel: .*:dead-letter"/m,
        /^channel: .*:lost"/m,
      ],
    ]) {
      assert.match(log, told, 'the log is there')
    }
  })

  it('are not in what a crash leaves behind, or in anything that can be inspected', async (t) => {
    const server = await WatchedServer.start(t, crashingServer)
    await createDestinations(server)
    await server.fhir.put({
      resourceType: 'Patient',
      id: 'p',
      name: [{ family: server.canaries.of('family') }],
    })
    for (const kind of kinds) {
      await server.fhir.untilStatus(`works-${kind}`, ({ count }) => count('messagesDelivered') > 0)
    }
    process.kill(server.process.processId, 'SIGUSR2')
    await server.process.exited
    const log = server.log.join('\n')
    assert.match(log, /inspected: [\s\S]*KafkaTopicDestination[\s\S]*The test has the server crash/)
    server.assertSilent()
  })
})
