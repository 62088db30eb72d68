import assert from 'node:assert/strict'
import { readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { FhirClient } from '../helpers/fhir-client.ts'
import { newTopic, uniqueName } from '../helpers/kafka.ts'
import { assertRefused, withoutVersion } from './answers.ts'
import type { ContractServer, NamedParameter } from './contract-server.ts'
import type { RowTest } from './row-test.ts'
import type { secretRows } from './secret-rows.ts'
import { maskedReason, secretReference, validLogin, vaultScopes } from './secret-vault.ts'

const anyPatient = { resource: 'Patient' }
const text = (name: string, valueString: string): NamedParameter => ({ name, valueString })
/** A refused login is given up soon, and the next row does not wait for its end. */
const shortBlock: NamedParameter = { name: 'maxBlockMs', valueInteger: 1000 }

/** Parameters of the SASL listener, without the login. */
function saslListener({ kafka }: ContractServer): readonly NamedParameter[] {
  return [
    text('bootstrapServers', kafka.saslBootstrapServers),
    text('securityProtocol', 'SASL_PLAINTEXT'),
    text('saslMechanism', 'PLAIN'),
    shortBlock,
  ]
}

async function assertDelivers(
  contract: ContractServer,
  read: (count: number) => Promise<readonly { focus: string }[]>,
): Promise<void> {
  const id = uniqueName('p')
  await contract.fhir.put({ resourceType: 'Patient', id })
  assert.equal((await read(1))[0]?.focus, `Patient/${id}`)
}

/** A destination for mutual TLS whose key and its password are secrets. The broker's users may do nothing:
 *  "authorization failed" means that it let the client in. */
async function followOverTls(contract: ContractServer) {
  const { certificates, certificatePassword, mtlsBootstrapServers } = contract.kafka
  const certificate = (file: string) => readFile(join(certificates, file), 'utf8')
  const key = await certificate('client.encrypted.key')
  await contract.writeSecret('key', key)
  await contract.writeSecret('key-password', certificatePassword)
  const followed = await contract.follow(anyPatient, {
    parameter: [
      text('bootstrapServers', mtlsBootstrapServers),
      text('securityProtocol', 'SSL'),
      text('sslTruststoreCertificates', await certificate('test-ca.crt')),
      text('sslKeystoreCertificateChain', await certificate('client.crt')),
      secretReference('sslKeystoreKey', 'key'),
      secretReference('sslKeyPassword', 'key-password'),
      shortBlock,
    ],
  })
  await contract.fhir.put({ resourceType: 'Patient', id: uniqueName('p') })
  const isLetIn = (error: string) => /authorization failed/i.test(error)
  await contract.fhir.untilStatus(followed.id, ({ errors }) => errors.some(isLetIn))
  return { id: followed.id, key, certificatePassword }
}

/** @returns the answer to a destination whose login is this secret */
async function postReferring(contract: ContractServer, secret: string, id?: string) {
  const topic = contract.topic(anyPatient)
  await contract.fhir.put(topic)
  const parameter = [...saslListener(contract), secretReference('saslJaasConfig', secret)]
  const destination = contract.destination(topic, 'records', { parameter })
  if (id !== undefined) contract.note(`AidboxTopicDestination/${id}`)
  return contract.fhir.request('POST', '/AidboxTopicDestination', {
    ...destination,
    ...(id === undefined ? {} : { id }),
  })
}

const jaasPath = "AidboxTopicDestination.parameter.where(name='saslJaasConfig')"

export const secretTests: Record<keyof typeof secretRows, RowTest> = {
  'secret-reference': async (contract) => {
    await contract.writeSecret('jaas', validLogin(contract))
    const parameter = [...saslListener(contract), secretReference('saslJaasConfig', 'jaas')]
    const { destination } = await contract.follow(anyPatient, { parameter })
    const path = `/AidboxTopicDestination/${destination.id}`
    assert.deepEqual(withoutVersion(await contract.fhir.ok('GET', path)), destination)
  },

  'secret-not-stored': async (contract) => {
    const canary = `canary-${uniqueName('secret')}`
    await contract.writeSecret('jaas', validLogin(contract, canary))
    const parameter = [...saslListener(contract), secretReference('saslJaasConfig', 'jaas')]
    const { id } = await contract.follow(anyPatient, { parameter })
    await contract.fhir.put({ resourceType: 'Patient', id: uniqueName('p') })
    await contract.fhir.untilStatus(id, ({ errors }) => /refused the login/.test(errors[0] ?? ''))
    const path = `/AidboxTopicDestination/${id}`
    const answers = []
    for (const each of [path, `${path}/_history`, `${path}/$status`, '/AidboxTopicDestination']) {
      answers.push(await contract.fhir.ok('GET', each))
    }
    assert.doesNotMatch(JSON.stringify(answers), new RegExp(canary))
    assert.deepEqual(await tablesWith(contract, canary), [])
    assert.notDeepEqual(await tablesWith(contract, id), [], 'the search finds what is stored')
  },

  'secret-jaas': async (contract) => {
    await contract.writeSecret('jaas', validLogin(contract))
    const parameter = [...saslListener(contract), secretReference('saslJaasConfig', 'jaas')]
    const { read } = await contract.follow(anyPatient, { parameter })
    await assertDelivers(contract, read)
  },

  'secret-keystore-key': async (contract) => {
    await followOverTls(contract)
  },

  'secret-other-parameters': async (contract) => {
    await contract.writeSecret('key-password', 'records')
    const topic = contract.topic(anyPatient)
    await contract.fhir.put(topic)
    const parameter = [secretReference('kafkaTopic', 'key-password')]
    const destination = contract.destination(topic, 'records', { parameter })
    const answer = await contract.fhir.request('POST', '/AidboxTopicDestination', destination)
    assertRefused(answer, "AidboxTopicDestination.parameter.where(name='kafkaTopic')")
    const { id } = await followOverTls(contract)
    await contract.writeSecret('key-password', 'another')
    await contract.fhir.untilStatus(id, ({ state }) => state === 'error')
  },

  'secret-scope-instance': async (contract) => {
    await contract.writeSecret('jaas-of-one', validLogin(contract))
    const allowed = await postReferring(contract, 'jaas-of-one', 'secret-one')
    assert.equal(allowed.status, 201)
    assertRefused(await postReferring(contract, 'jaas-of-one', 'secret-two'), jaasPath)
  },

  'secret-scope-type': async (contract) => {
    await contract.writeSecret('jaas', validLogin(contract))
    for (const id of [uniqueName('one'), uniqueName('two')]) {
      assert.equal((await postReferring(contract, 'jaas', id)).status, 201)
    }
  },

  'secret-out-of-scope': async (contract) => {
    await contract.writeSecret('jaas-of-client', validLogin(contract, 'canary'))
    const answer = await postReferring(contract, 'jaas-of-client')
    const { details } = assertRefused(answer, jaasPath)
    assert.match(details?.text ?? '', /scope of the secret jaas-of-client does not include/)
    assert.doesNotMatch(JSON.stringify(answer.body), /canary/)
  },

  'secret-unknown': async (contract) => {
    assertRefused(await postReferring(contract, 'nobody'), jaasPath)
  },

  'secret-rotation': async (contract) => {
    await contract.writeSecret('jaas', validLogin(contract, 'not-the-password'))
    const parameter = [...saslListener(contract), secretReference('saslJaasConfig', 'jaas')]
    const login = await contract.follow(anyPatient, { parameter })
    await contract.fhir.put({ resourceType: 'Patient', id: uniqueName('p') })
    const isRefused = ([error = '']: readonly string[]) => /refused the login/.test(error)
    await contract.fhir.untilStatus(login.id, ({ errors }) => isRefused(errors))
    await contract.writeSecret('jaas', validLogin(contract))
    await contract.fhir.untilStatus(login.id, ({ count }) => count('messagesDelivered') === 1)
    await contract.forget()

    const { id, key, certificatePassword } = await followOverTls(contract)
    const rotations = [
      ['key', 'no key', key],
      ['key-password', 'another', certificatePassword],
    ] as const
    for (const [secret, wrong, right] of rotations) {
      await contract.writeSecret(secret, wrong)
      await contract.fhir.untilStatus(id, ({ state }) => state === 'error')
      await contract.writeSecret(secret, right)
      await contract.fhir.untilStatus(id, ({ state }) => state === 'active')
    }
  },

  'secret-key-store': async (contract) => {
    const { certificates, certificatePassword, mtlsBootstrapServers } = contract.kafka
    await contract.writeSecret('key-store', await readFile(join(certificates, 'client.p12')))
    await contract.writeSecret('key-password', certificatePassword)
    const authority = await readFile(join(certificates, 'test-ca.crt'), 'utf8')
    const parameter = [
      text('bootstrapServers', mtlsBootstrapServers),
      text('securityProtocol', 'SSL'),
      text('sslTruststoreCertificates', authority),
      secretReference('sslKeystoreKey', 'key-store'),
      shortBlock,
    ]
    const { id } = await contract.follow(anyPatient, { parameter })
    await contract.fhir.put({ resourceType: 'Patient', id: uniqueName('p') })
    const isLetIn = (error: string) => /authorization failed/i.test(error)
    await contract.fhir.untilStatus(id, ({ errors }) => errors.some(isLetIn))
  },

  'secret-vault-read-once': async (contract) => {
    const path = join(contract.vaultFolder, 'vault.json')
    const before = await readFile(path, 'utf8')
    await contract.writeSecret('jaas', validLogin(contract))
    const added = { path: join(contract.vaultFolder, 'jaas'), scope: vaultScopes.jaas }
    const { secret } = JSON.parse(before) as { secret: object }
    await writeFile(path, JSON.stringify({ secret: { ...secret, added } }))
    try {
      assertRefused(await postReferring(contract, 'added'), jaasPath)
      const restarted = await contract.startServer()
      const fhir = new FhirClient(restarted.url)
      const topic = contract.topic(anyPatient)
      const parameter = [...saslListener(contract), secretReference('saslJaasConfig', 'added')]
      const destination = contract.destination(topic, 'records', { parameter, status: 'off' })
      await fhir.put(topic)
      await fhir.put(destination)
      await restarted.close()
    } finally {
      await writeFile(path, before)
    }
  },

  'secret-plain': async (contract) => {
    const { fhir } = contract
    const login = text('saslJaasConfig', validLogin(contract))
    const parameter = [...saslListener(contract), login]
    const { id, read, destination } = await contract.follow(anyPatient, { parameter })
    const path = `/AidboxTopicDestination/${id}`
    const masked = await fhir.ok('GET', path)
    assert.deepEqual((masked['parameter'] as object[]).at(-1), {
      name: 'saslJaasConfig',
      _valueString: { extension: [maskedReason] },
    })
    await fhir.ok('PUT', path, { ...masked, content: 'id-only' })
    await assertDelivers(contract, read)
    const echoing = await contract.startServer({ plainSecrets: 'echo' })
    const echoed = await new FhirClient(echoing.url).ok('GET', path)
    assert.deepEqual(withoutVersion(echoed), { ...destination, content: 'id-only' })
    await echoing.close()
  },

  'secret-plain-moved': async (contract) => {
    const { fhir, kafka } = contract
    const kafkaTopic = await newTopic(kafka.bootstrapServers)
    const topic = contract.topic(anyPatient)
    const login = text('saslJaasConfig', validLogin(contract))
    const parameter = [...saslListener(contract), login]
    const destination = contract.destination(topic, kafkaTopic, { parameter })
    await contract.create(topic, destination)
    const path = `/AidboxTopicDestination/${destination.id}`
    const masked = await fhir.ok('GET', path)
    const moved = (masked['parameter'] as NamedParameter[]).map((each) =>
      each.name === 'bootstrapServers' ? text('bootstrapServers', '127.0.0.1:9') : each,
    )
    const answer = await fhir.request('PUT', path, { ...masked, parameter: moved })
    const { code } = assertRefused(answer, jaasPath)
    assert.equal(code, 'required')
  },
}

/** Tables of the server and of the module that have this text anywhere. */
async function tablesWith({ database }: ContractServer, wanted: string): Promise<string[]> {
  const { rows: tables } = await database.pool.query<{ name: string }>(
    `select quote_ident(table_schema) || '.' || quote_ident(table_name) as name
       from information_schema.tables
      where table_type = 'BASE TABLE' and table_schema not in ('pg_catalog', 'information_schema')`,
  )
  const found = []
  for (const { name } of tables) {
    const { rows } = await database.pool.query(
      `select 1 from ${name} t where position($1 in t::text) > 0 limit 1`,
      [wanted],
    )
    if (rows.length > 0) found.push(name)
  }
  return found
}
