import assert from 'node:assert/strict'
import { FhirClient } from '../helpers/fhir-client.ts'
import { uniqueName } from '../helpers/kafka.ts'
import type { ContractServer, Followed } from './contract-server.ts'
import type { correlationRows } from './correlation-rows.ts'
import type { RowTest } from './row-test.ts'

const anyPatient = { resource: 'Patient' }
const patient = (id: string, more: object = {}) => ({ resourceType: 'Patient', id, ...more })
const header = (value: string) => ({ 'x-topic-correlation-id': value })

async function idsOf({ read }: Followed, count: number): Promise<(string | undefined)[]> {
  const notifications = await read(count)
  return notifications.map(({ event }) => event.correlationId)
}

/** A bundle of one create, one update and one delete; the resources for the latter are there already. */
async function assertBundleShares(
  contract: ContractServer,
  type: 'batch' | 'transaction',
): Promise<void> {
  const id = uniqueName('p')
  for (const name of [`${id}-update`, `${id}-delete`]) await contract.fhir.put(patient(name))
  const followed = await contract.follow(anyPatient)
  const put = (name: string, more: object = {}) => ({
    resource: patient(name, more),
    request: { method: 'PUT', url: `Patient/${name}` },
  })
  await contract.fhir.ok(
    'POST',
    '',
    {
      resourceType: 'Bundle',
      type,
      entry: [
        put(`${id}-create`),
        put(`${id}-update`, { active: true }),
        { request: { method: 'DELETE', url: `Patient/${id}-delete` } },
      ],
    },
    header('one-request'),
  )
  const notifications = await followed.read(3)
  assert.equal(new Set(notifications.map(({ focus }) => focus)).size, 3)
  for (const { event } of notifications) assert.equal(event.correlationId, 'one-request')
}

export const correlationTests: Record<keyof typeof correlationRows, RowTest> = {
  'correlation-copied': async (contract) => {
    const { fhir } = contract
    const id = uniqueName('p')
    const followed = await contract.follow(anyPatient)
    await fhir.put(patient(id), header('on-create'))
    await fhir.put(patient(id, { active: true }), header('on-update'))
    await fhir.ok(
      'PATCH',
      `/Patient/${id}`,
      { active: false },
      {
        'content-type': 'application/merge-patch+json',
        ...header('on-patch'),
      },
    )
    await fhir.ok('DELETE', `/Patient/${id}`, undefined, header('on-delete'))
    assert.deepEqual(await idsOf(followed, 4), ['on-create', 'on-update', 'on-patch', 'on-delete'])
  },

  'correlation-absent': async (contract) => {
    const followed = await contract.follow(anyPatient)
    const id = uniqueName('p')
    await contract.fhir.put(patient(id), header('of the request before'))
    await contract.fhir.put(patient(id, { active: true }))
    const [, second] = await followed.read(2)
    assert.ok(second && !('correlationId' in second.event))
    assert.ok(!('x-topic-correlation-id' in second.record.headers))
  },

  'correlation-opaque': async (contract) => {
    const followed = await contract.follow(anyPatient)
    const values = ['0', '{"a": "b\\"c"}; q=1, %20', 'x'.repeat(2000)]
    for (const value of values) await contract.fhir.put(patient(uniqueName('p')), header(value))
    assert.deepEqual(await idsOf(followed, values.length), values)
  },

  'correlation-header-name': async (contract) => {
    const followed = await contract.follow(anyPatient)
    const server = await contract.startServer({}, { correlationHeader: 'x-hospital-order' })
    const fhir = new FhirClient(server.url)
    await fhir.put(patient(uniqueName('p')), { 'x-hospital-order': '4711' })
    await fhir.put(patient(uniqueName('p')), header('4712'))
    assert.deepEqual(await idsOf(followed, 2), ['4711', undefined])
    await server.close()
  },

  'correlation-other-header': async (contract) => {
    const followed = await contract.follow(anyPatient)
    await contract.fhir.put(patient(uniqueName('p')), { 'x-correlation-id': 'of-the-log' })
    assert.deepEqual(await idsOf(followed, 1), [undefined])
  },

  'correlation-transaction': (contract) => assertBundleShares(contract, 'transaction'),

  'correlation-batch': (contract) => assertBundleShares(contract, 'batch'),

  'correlation-conditional-delete': async (contract) => {
    const family = uniqueName('Family')
    for (const id of [uniqueName('p'), uniqueName('p')]) {
      await contract.fhir.put(patient(id, { name: [{ family }] }))
    }
    const followed = await contract.follow(anyPatient)
    const path = `/Patient?family=${family}`
    await contract.fhir.ok('DELETE', path, undefined, {
      'x-conditional-delete': 'remove-all',
      ...header('clean-up'),
    })
    assert.deepEqual(await idsOf(followed, 2), ['clean-up', 'clean-up'])
  },

  'correlation-redelivery': async (contract) => {
    const { fhir } = contract
    const followed = await contract.follow(anyPatient, {
      parameter: [
        { name: 'bootstrapServers', valueString: '127.0.0.1:9' },
        { name: 'maxBlockMs', valueInteger: 300 },
      ],
    })
    await fhir.put(patient(uniqueName('p')), header('order-4711'))
    const hasFailed = (count: (name: string) => number) => count('messagesDeliveryAttempts') > 0
    await fhir.untilStatus(followed.id, ({ count }) => hasFailed(count))
    const working = contract.destination(followed.topic, followed.kafkaTopic)
    await fhir.put({ ...working, id: followed.id })
    assert.deepEqual(await idsOf(followed, 1), ['order-4711'])
  },

  'correlation-no-toggle': async (contract) => {
    for (const kind of ['kafka-at-least-once', 'kafka-best-effort'] as const) {
      const followed = await contract.follow(anyPatient, { kind, content: 'empty' })
      await contract.fhir.put(patient(uniqueName('p')), header('4711'))
      assert.deepEqual(await idsOf(followed, 1), ['4711'])
    }
  },
}
