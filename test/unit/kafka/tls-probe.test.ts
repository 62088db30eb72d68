import assert from 'node:assert/strict'
import { once } from 'node:events'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { before, describe, it, type TestContext } from 'node:test'
import { createServer, type Server, type TlsOptions, type TLSSocket } from 'node:tls'
import { openKeyStore } from '../../../src/kafka/key-store.ts'
import { causeNamed } from '../../../src/kafka/kafka-causes.ts'
import type { KafkaParameterValues } from '../../../src/kafka/parameter-table.ts'
import { toProducerConfig, type ProducerConfig } from '../../../src/kafka/producer-config.ts'
import {
  systemAuthorities,
  systemAuthorityProperties,
} from '../../../src/kafka/system-authorities.ts'
import { certificateFault, exactTlsCause } from '../../../src/kafka/tls-probe.ts'
import { pkcs12, selfSigned, type Identity } from './certificates.ts'

let broker: Identity
let stranger: Identity
before(() => {
  broker = selfSigned('localhost')
  stranger = selfSigned('stranger')
})

function folder(t: TestContext): string {
  const path = mkdtempSync(join(tmpdir(), 'tls-probe-'))
  t.after(() => {
    rmSync(path, { recursive: true })
  })
  return path
}

function fileOf(t: TestContext, content: string | Buffer, name = 'file'): string {
  const path = join(folder(t), name)
  writeFileSync(path, content)
  return path
}

async function listening(t: TestContext, options: TlsOptions = {}): Promise<Server> {
  const server = createServer({
    key: broker.key,
    cert: broker.certificate,
    requestCert: true,
    rejectUnauthorized: false,
    ...options,
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  t.after(() => {
    server.close()
  })
  return server
}

const addressOf = (server: Server): string => `localhost:${(server.address() as AddressInfo).port}`

function configOf(address: string, more: Partial<KafkaParameterValues> = {}): ProducerConfig {
  const values = { kafkaTopic: 't', bootstrapServers: address, securityProtocol: 'SSL', ...more }
  return toProducerConfig(values, 'best-effort')
}

/** For the time of one test. */
function setVariables(t: TestContext, variables: Readonly<Record<string, string>>): void {
  for (const name of ['SSL_CERT_FILE', 'SSL_CERT_DIR']) {
    const previous = process.env[name]
    const set = (value: string | undefined): void => {
      if (value === undefined) delete process.env[name]
      else process.env[name] = value
    }
    set(variables[name])
    t.after(() => {
      set(previous)
    })
  }
}

describe('certificateFault', () => {
  it('trusts the authorities of the system, not those that Node brings', async (t) => {
    const server = await listening(t)
    const address = addressOf(server)
    const faultNow = async (): Promise<string | undefined> =>
      certificateFault(address, '127.0.0.1', configOf(address))
    setVariables(t, { SSL_CERT_FILE: fileOf(t, stranger.certificate) })
    assert.equal(await faultNow(), 'DEPTH_ZERO_SELF_SIGNED_CERT')
    setVariables(t, { SSL_CERT_FILE: fileOf(t, broker.certificate) })
    assert.equal(await faultNow(), undefined)
    const directory = folder(t)
    writeFileSync(join(directory, '0123abcd.0'), broker.certificate)
    setVariables(t, { SSL_CERT_DIR: directory })
    assert.equal(await faultNow(), undefined)
  })

  it('reads the authorities of the system once a minute, however many ask', async (t) => {
    const server = await listening(t)
    const address = addressOf(server)
    const faultNow = async (): Promise<string | undefined> =>
      certificateFault(address, '127.0.0.1', configOf(address))
    const path = fileOf(t, stranger.certificate)
    setVariables(t, { SSL_CERT_FILE: path })
    assert.equal(await faultNow(), 'DEPTH_ZERO_SELF_SIGNED_CERT')
    writeFileSync(path, broker.certificate)
    assert.equal(await faultNow(), 'DEPTH_ZERO_SELF_SIGNED_CERT')
    t.mock.timers.enable({ apis: ['Date'], now: Date.now() + 60_000 })
    assert.equal(await faultNow(), undefined)
  })

  it('shows no certificate of the client to whoever answers', async (t) => {
    // Up to this version the server has the certificate before the client knows whom it talks to.
    const server = await listening(t, { maxVersion: 'TLSv1.2' })
    const address = addressOf(server)
    const client = selfSigned('client')
    const config = configOf(address, {
      sslTruststoreCertificates: stranger.certificate,
      sslKeystoreKey: client.key,
      sslKeystoreCertificateChain: client.certificate,
    })
    const connected = once(server, 'secureConnection')
    const fault = await certificateFault(address, '127.0.0.1', config)
    assert.equal(fault, 'DEPTH_ZERO_SELF_SIGNED_CERT')
    const [socket] = (await connected) as [TLSSocket]
    assert.deepEqual(socket.getPeerCertificate(), {})
  })
})

describe('exactTlsCause', () => {
  it('says that a client certificate has ended, wherever it stands', async (t) => {
    const client = selfSigned('client', { days: 10 })
    const path = fileOf(t, pkcs12(client, 'word'), 'client.p12')
    const keys: readonly Partial<KafkaParameterValues>[] = [
      { sslKeystoreKey: client.key, sslKeystoreCertificateChain: client.certificate },
      { sslKeystoreKey: client.key + client.certificate },
      { sslKeystoreKey: openKeyStore(path, pkcs12(client, 'word'), 'word') },
    ]
    t.mock.timers.enable({ apis: ['Date'], now: Date.now() + 11 * 86_400_000 })
    for (const each of keys) {
      const refused = causeNamed('client-certificate-refused', { broker: 'b:9093' })
      const { name, message } = await exactTlsCause(refused, configOf('b:9093', each))
      assert.equal(name, 'client-certificate-expired')
      assert.match(message, /certificate of sslKeystoreKey, which is valid from .* to .*; renew it/)
    }
  })
})

describe('systemAuthorities', () => {
  it('are where OpenSSL is told to look, else where the system keeps them', async (t) => {
    const SSL_CERT_FILE = fileOf(t, `${broker.certificate}\n${stranger.certificate}`)
    const own = await systemAuthorities({ SSL_CERT_FILE, SSL_CERT_DIR: '/nowhere' })
    assert.equal(own?.length, 2)
    assert.deepEqual(systemAuthorityProperties({ SSL_CERT_FILE }), {})
    assert.deepEqual(systemAuthorityProperties({}), { 'ssl.ca.location': 'probe' })
    assert.ok(Array.isArray(await systemAuthorities({})))
  })
})
