import assert from 'node:assert/strict'
import { newTopic, uniqueName } from '../helpers/kafka.ts'
import type { TestResource } from '../helpers/topic-resources.ts'
import type { ContractServer, DestinationOptions, Followed } from './contract-server.ts'
import { readNotifications } from './notification.ts'
import { once } from './once.ts'
import type { organizationRows } from './organization-rows.ts'
import type { RowTest } from './row-test.ts'
import { actionsOnly, selectedSoFar } from './selected.ts'

const anyPatient = { resource: 'Patient' }

/** b is part of a, c of b; d stands beside them. */
const hierarchy = once(async ({ fhir }: ContractServer) => {
  const put = (id: string, partOf?: string) =>
    fhir.put({
      resourceType: 'Organization',
      id,
      ...(partOf === undefined ? {} : { partOf: { reference: `Organization/${partOf}` } }),
    })
  await put('org-a')
  await put('org-b', 'org-a')
  await put('org-c', 'org-b')
  await put('org-d')
})

/** The resource as one that was created for this organization; without one as it is. */
function of(organization: string | undefined, resource: TestResource): TestResource {
  if (organization === undefined) return resource
  const mark = {
    url: 'https://aidbox.app/tenant-organization-id',
    valueReference: { reference: `Organization/${organization}` },
  }
  return { ...resource, meta: { ...(resource['meta'] as object | undefined), extension: [mark] } }
}

async function followFor(
  contract: ContractServer,
  [topicOf, destinationOf]: readonly [string?, string?],
  options: DestinationOptions = {},
): Promise<Followed> {
  const { bootstrapServers } = contract.kafka
  const kafkaTopic = await newTopic(bootstrapServers)
  const topic = of(topicOf, contract.topic(anyPatient))
  const destination = of(
    destinationOf,
    contract.destination(topic, kafkaTopic, { ...actionsOnly, ...options }),
  )
  await contract.create(topic, destination)
  const read = (count: number) => readNotifications(bootstrapServers, kafkaTopic, count)
  return { topic, destination, id: destination.id, kafkaTopic, read }
}

const owners = [undefined, 'org-a', 'org-b', 'org-c', 'org-d'] as const

/** Writes a Patient for no organization and for each, and answers for which of them it becomes an event. */
async function caught(
  contract: ContractServer,
  owned: readonly [topicOf?: string, destinationOf?: string],
): Promise<string[]> {
  await hierarchy(contract)
  const followed = await followFor(contract, owned)
  const run = uniqueName('p')
  await writeForAll(contract, run)
  const selected = await selectedSoFar(contract, followed)
  return selected.map((line) => line.replace(`create Patient/${run}-`, ''))
}

async function writeForAll({ fhir }: ContractServer, run: string): Promise<void> {
  for (const owner of owners) {
    await fhir.put(of(owner, { resourceType: 'Patient', id: `${run}-${owner ?? 'none'}` }))
  }
}

/** The same limit at the topic, at the destination, and at both. */
async function assertCaught(
  contract: ContractServer,
  organization: string,
  assertIt: (events: readonly string[]) => void,
): Promise<void> {
  for (const owned of [
    [organization],
    [undefined, organization],
    [organization, organization],
  ] as const) {
    assertIt(await caught(contract, owned as readonly [string?, string?]))
    await contract.forget()
  }
}

export const organizationTests: Record<keyof typeof organizationRows, RowTest> = {
  'organization-api': async (contract) => {
    await hierarchy(contract)
    const path = '/Organization/org-a/fhir/Patient'
    const answer = await contract.fhir.request('POST', path, { resourceType: 'Patient' })
    assert.equal(answer.status, 404)
    const { topic, destination } = await followFor(contract, ['org-a', 'org-b'])
    for (const { resourceType, id, meta } of [topic, destination]) {
      const stored = await contract.fhir.ok('GET', `/${resourceType}/${id}`)
      const { extension } = stored['meta'] as { extension: object[] }
      assert.deepEqual(extension, (meta as { extension: object[] }).extension)
    }
  },

  'organization-none': async (contract) => {
    assert.deepEqual(
      await caught(contract, []),
      owners.map((owner) => owner ?? 'none'),
    )
  },

  'organization-event-without': (contract) =>
    assertCaught(contract, 'org-a', (events) => {
      assert.ok(!events.includes('none'))
      assert.ok(events.includes('org-a'))
    }),

  'organization-equal-or-below': async (contract) => {
    await assertCaught(contract, 'org-a', (events) => {
      assert.deepEqual(events, ['org-a', 'org-b', 'org-c'])
    })
    await assertCaught(contract, 'org-b', (events) => {
      assert.deepEqual(events, ['org-b', 'org-c'])
    })
  },

  'organization-above-or-unrelated': async (contract) => {
    await assertCaught(contract, 'org-c', (events) => {
      assert.deepEqual(events, ['org-c'])
    })
    await assertCaught(contract, 'org-d', (events) => {
      assert.deepEqual(events, ['org-d'])
    })
  },

  'organization-topic-then-destination': async (contract) => {
    assert.deepEqual(await caught(contract, ['org-a', 'org-b']), ['org-b', 'org-c'])
    await contract.forget()
    assert.deepEqual(await caught(contract, ['org-b', 'org-a']), ['org-b', 'org-c'])
    await contract.forget()
    assert.deepEqual(await caught(contract, ['org-a', 'org-d']), [])
  },

  'organization-destination-alone': async (contract) => {
    await hierarchy(contract)
    const all = await followFor(contract, [])
    const { bootstrapServers } = contract.kafka
    const kafkaTopic = await newTopic(bootstrapServers)
    const some = of('org-a', contract.destination(all.topic, kafkaTopic, actionsOnly))
    await contract.create(some)
    await writeForAll(contract, uniqueName('p'))
    const read = (count: number) => readNotifications(bootstrapServers, kafkaTopic, count)
    const limited = { ...all, id: some.id, destination: some, kafkaTopic, read }
    assert.equal((await selectedSoFar(contract, all)).length, owners.length)
    assert.equal((await selectedSoFar(contract, limited)).length, 3)
  },

  'organization-best-effort': async (contract) => {
    await hierarchy(contract)
    const kind = 'kafka-best-effort'
    const { id, read } = await followFor(contract, ['org-a', 'org-b'], { kind })
    const run = uniqueName('p')
    await writeForAll(contract, run)
    const notifications = await read(2)
    assert.deepEqual(
      notifications.map(({ focus }) => focus),
      [`Patient/${run}-org-b`, `Patient/${run}-org-c`],
    )
    const { count } = await contract.fhir.untilStatus(
      id,
      (status) => status.count('messagesInProcess') === 0,
    )
    assert.deepEqual([count('messagesDelivered'), count('messagesLost')], [2, 0])
  },
}
