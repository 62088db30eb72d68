import assert from 'node:assert/strict'
import { FhirClient } from '../helpers/fhir-client.ts'
import { uniqueName } from '../helpers/kafka.ts'
import type { ContractServer, NamedParameter } from './contract-server.ts'
import type { RowTest } from './row-test.ts'
import { secretReference, validLogin } from './secret-vault.ts'
import type { statusRows } from './status-rows.ts'

const anyPatient = { resource: 'Patient' }
const bestEffort = { kind: 'kafka-best-effort' } as const
const utcSeconds = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ$/

async function write({ fhir }: { fhir: FhirClient }, times = 1): Promise<void> {
  for (let turn = 0; turn < times; turn++) {
    await fhir.put({ resourceType: 'Patient', id: uniqueName('p') })
  }
}

/** Nothing listens on these ports. With `shortBlock` a producer of at least once gives up soon, and the next row does not wait for its end. */
const deadBroker = (port = 9): NamedParameter => ({
  name: 'bootstrapServers',
  valueString: `127.0.0.1:${port}`,
})
const shortBlock: NamedParameter = { name: 'maxBlockMs', valueInteger: 300 }

interface StatusParameter {
  readonly name: string
  readonly valueDecimal?: number
  readonly valueString?: string
  readonly valueDateTime?: string
  readonly part?: readonly StatusParameter[]
}

async function parametersOf({ fhir }: ContractServer, id: string): Promise<StatusParameter[]> {
  const answer = await fhir.request('GET', `/AidboxTopicDestination/${id}/$status`)
  assert.equal(answer.status, 200)
  assert.deepEqual(Object.keys(answer.body), ['resourceType', 'parameter'])
  assert.equal(answer.body['resourceType'], 'Parameters')
  return answer.body['parameter'] as StatusParameter[]
}

const shapeOf = (parameters: readonly StatusParameter[]) =>
  parameters.map((parameter) => Object.keys(parameter).join(' ') + ' ' + parameter.name)

export const statusTests: Record<keyof typeof statusRows, RowTest> = {
  'status-best-effort': async (contract) => {
    const { id } = await contract.follow(anyPatient, bestEffort)
    assert.deepEqual(shapeOf(await parametersOf(contract, id)), [
      'name valueDecimal messagesDelivered',
      'name valueDecimal messagesInProcess',
      'name valueDecimal messagesLost',
      'name valueDateTime startTimestamp',
      'name valueString status',
    ])
  },

  'status-at-least-once': async (contract) => {
    const { id } = await contract.follow(anyPatient)
    assert.deepEqual(shapeOf(await parametersOf(contract, id)).slice(0, 6), [
      'name valueDecimal messagesDelivered',
      'name valueDecimal messagesDeliveryAttempts',
      'name valueDecimal messagesInProcess',
      'name valueDecimal messagesQueued',
      'name valueDateTime startTimestamp',
      'name valueString status',
    ])
  },

  'status-start-timestamp': async (contract) => {
    for (const options of [{}, bestEffort]) {
      const startedMs = Math.floor(Date.now() / 1000) * 1000
      const { id } = await contract.follow(anyPatient, options)
      const parameters = await parametersOf(contract, id)
      const start = parameters.find(({ name }) => name === 'startTimestamp')?.valueDateTime ?? ''
      assert.match(start, utcSeconds)
      assert.ok(Date.parse(start) >= startedMs && Date.parse(start) <= Date.now(), start)
    }
  },

  'status-active': async (contract) => {
    for (const options of [{}, bestEffort]) {
      const { id } = await contract.follow(anyPatient, options)
      assert.equal((await contract.fhir.status(id)).state, 'active')
    }
  },

  'status-delivered': async (contract) => {
    for (const options of [{}, bestEffort]) {
      const { id, read } = await contract.follow(anyPatient, options)
      assert.equal((await contract.fhir.status(id)).count('messagesDelivered'), 0)
      await write(contract, 3)
      await read(3)
      await contract.fhir.untilStatus(id, ({ count }) => count('messagesDelivered') === 3)
      await contract.forget()
    }
  },

  'status-delivery-attempts': async (contract) => {
    const working = await contract.follow(anyPatient)
    const failing = await contract.follow(anyPatient, { parameter: [deadBroker(), shortBlock] })
    await write(contract)
    await contract.fhir.untilStatus(
      failing.id,
      ({ count }) => count('messagesDeliveryAttempts') >= 2,
    )
    const { count } = await contract.fhir.untilStatus(
      working.id,
      (status) => status.count('messagesDelivered') === 1,
    )
    assert.equal(count('messagesDeliveryAttempts'), 0)
  },

  'status-in-process': async (contract) => {
    const parameter = [deadBroker()]
    const { id } = await contract.follow(anyPatient, { ...bestEffort, parameter })
    await write(contract, 2)
    const { count } = await contract.fhir.status(id)
    assert.deepEqual([count('messagesInProcess'), count('messagesLost')], [2, 0])
  },

  'status-queued': async (contract) => {
    const { destination, id } = await contract.follow(anyPatient, { status: 'off' })
    for (const queued of [1, 2, 3]) {
      await write(contract)
      assert.equal((await contract.fhir.status(id)).count('messagesQueued'), queued)
    }
    await contract.fhir.put({ ...destination, status: 'active' })
    const { count } = await contract.fhir.untilStatus(
      id,
      (status) => status.count('messagesDelivered') === 3,
    )
    assert.equal(count('messagesQueued'), 0)
  },

  'status-lost': async (contract) => {
    const { id } = await contract.follow(anyPatient, {
      ...bestEffort,
      parameter: [
        deadBroker(),
        { name: 'requestTimeoutMs', valueInteger: 200 },
        { name: 'deliveryTimeoutMs', valueInteger: 200 },
      ],
    })
    await write(contract, 2)
    await contract.fhir.untilStatus(id, ({ count }) => count('messagesLost') === 2)
  },

  'status-last-error': async (contract) => {
    for (const options of [{}, bestEffort]) {
      const beforeMs = Math.floor(Date.now() / 1000) * 1000
      const parameter = [deadBroker(), shortBlock]
      const { id } = await contract.follow(anyPatient, { ...options, parameter })
      await write(contract)
      await contract.fhir.untilStatus(id, ({ errors }) => errors.length > 0)
      const parameters = await parametersOf(contract, id)
      const position = parameters.findIndex(({ name }) => name === 'lastErrorDetail')
      assert.equal(parameters[position - 1]?.name, 'status')
      const { part = [], ...rest } = parameters[position] ?? { name: '' }
      assert.deepEqual(rest, { name: 'lastErrorDetail' })
      assert.deepEqual(shapeOf(part), ['name valueString message', 'name valueDateTime timestamp'])
      assert.match(part[0]?.valueString ?? '', /127\.0\.0\.1:9 cannot be reached/)
      const at = part[1]?.valueDateTime ?? ''
      assert.match(at, utcSeconds)
      assert.ok(Date.parse(at) >= beforeMs && Date.parse(at) <= Date.now(), at)
    }
  },

  'status-last-errors': async (contract) => {
    const { topic, kafkaTopic, id } = await contract.follow(anyPatient, { status: 'off' })
    const ports = [1, 2, 3, 4, 5, 6]
    await write(contract)
    for (const port of ports) {
      const parameter = [deadBroker(port), shortBlock]
      const moved = contract.destination(topic, kafkaTopic, { parameter })
      await contract.fhir.put({ ...moved, id })
      const isOfThis = (error?: string) => error?.includes(`127.0.0.1:${port} `) === true
      await contract.fhir.untilStatus(id, ({ errors }) => isOfThis(errors[0]))
    }
    const { errors } = await contract.fhir.status(id)
    assert.deepEqual(
      errors.map((error) => /127\.0\.0\.1:(\d+) /.exec(error)?.[1]),
      ['6', '5', '4', '3', '2'],
    )
  },

  'status-all-nodes': async (contract) => {
    const other = await contract.startServer()
    const nodes = [contract, { fhir: new FhirClient(other.url) }]
    const followed = [
      await contract.follow(anyPatient),
      await contract.follow(anyPatient, bestEffort),
    ]
    for (const node of nodes) await write(node, 2)
    for (const { id } of followed) {
      for (const { fhir } of nodes) {
        const { count } = await fhir.untilStatus(
          id,
          (status) => status.count('messagesDelivered') === 4,
        )
        assert.equal(count('messagesInProcess'), 0)
      }
    }
    await other.close()
  },

  'status-restart': async (contract) => {
    const followed = [
      await contract.follow(anyPatient),
      await contract.follow(anyPatient, bestEffort),
    ]
    const first = await contract.startServer()
    await write({ fhir: new FhirClient(first.url) })
    for (const { id } of followed) {
      const { fhir } = contract
      await fhir.untilStatus(id, ({ count }) => count('messagesDelivered') === 1)
    }
    const before = await Promise.all(followed.map(({ id }) => parametersOf(contract, id)))
    await first.close()
    const second = await contract.startServer()
    const fhir = new FhirClient(second.url)
    for (const [index, { id }] of followed.entries()) {
      const answer = await fhir.ok('GET', `/AidboxTopicDestination/${id}/$status`)
      assert.deepEqual(answer['parameter'], before[index])
    }
    await second.close()
  },

  'status-no-sender': async (contract) => {
    await contract.writeSecret('jaas', validLogin(contract))
    const { id, read } = await contract.follow(anyPatient, {
      parameter: [
        { name: 'bootstrapServers', valueString: contract.kafka.saslBootstrapServers },
        { name: 'securityProtocol', valueString: 'SASL_PLAINTEXT' },
        { name: 'saslMechanism', valueString: 'PLAIN' },
        secretReference('saslJaasConfig', 'jaas'),
      ],
    })
    await contract.removeSecret('jaas')
    await contract.fhir.untilStatus(id, ({ state }) => state === 'error')
    const reason = (await parametersOf(contract, id)).find(({ name }) => name === 'statusReason')
    assert.match(reason?.valueString ?? '', /secret jaas cannot be read/)
    await write(contract)
    await contract.writeSecret('jaas', validLogin(contract))
    await contract.fhir.untilStatus(id, ({ state }) => state === 'active')
    assert.equal((await read(1)).length, 1)
  },

  'status-own-parameters': async (contract) => {
    const { id, topic } = await contract.follow(anyPatient, {
      parameter: [deadBroker(), shortBlock],
    })
    await write(contract)
    await contract.fhir.untilStatus(id, ({ errors }) => errors.length > 0)
    await contract.fhir.put({ ...topic, status: 'retired' })
    const names = (await parametersOf(contract, id)).map(({ name }) => name)
    assert.deepEqual(names.slice(names.lastIndexOf('lastErrorDetail') + 1), [
      'messagesDead',
      'messagesUndecided',
      'messagesNotKept',
      'messagesNotFired',
      'messagesDiscarded',
      'statusReason',
    ])
  },

  'status-missing': async (contract) => {
    const answer = await contract.fhir.request('GET', '/AidboxTopicDestination/nobody/$status')
    assert.equal(answer.status, 404)
    assert.equal(answer.body['resourceType'], 'OperationOutcome')
  },
}
