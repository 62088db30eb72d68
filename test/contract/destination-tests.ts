import assert from 'node:assert/strict'
import { FhirClient } from '../helpers/fhir-client.ts'
import { newTopic, privateKafka, uniqueName } from '../helpers/kafka.ts'
import { assertRefused, withoutVersion } from './answers.ts'
import type { ContractServer, DestinationOptions, Kind } from './contract-server.ts'
import type { destinationRows } from './destination-rows.ts'
import { readNotifications } from './notification.ts'
import type { RowTest } from './row-test.ts'
import { actionsOnly, selectedSoFar } from './selected.ts'

const anyPatient = { resource: 'Patient' }
const patient = (id: string, more: object = {}) => ({ resourceType: 'Patient', id, ...more })
/** Nothing listens there. */
const deadBroker = { name: 'bootstrapServers', valueString: '127.0.0.1:9' }
const kinds = ['kafka-best-effort', 'kafka-at-least-once'] as const

const since2604 = 'http://health-samurai.io/fhir/core/StructureDefinition/aidboxtopicdestination-'
const before2604 = 'http://aidbox.app/StructureDefinition/aidboxtopicdestination-'
const profiles = {
  since2604: {
    'kafka-best-effort': `${since2604}kafkaBestEffortProfile`,
    'kafka-at-least-once': `${since2604}kafkaAtLeastOnceProfile`,
  },
  before2604: {
    'kafka-best-effort': `${before2604}kafka-best-effort`,
    'kafka-at-least-once': `${before2604}kafka-at-least-once`,
  },
}

/** Under these profile urls both kinds are stored and deliver. */
async function assertProfilesDeliver(
  contract: ContractServer,
  urls: Readonly<Record<Kind, string>>,
): Promise<void> {
  for (const kind of kinds) {
    const id = uniqueName('p')
    const profile = [urls[kind]]
    const followed = await contract.follow(anyPatient, { kind, meta: { profile } })
    const stored = await contract.fhir.ok('GET', `/AidboxTopicDestination/${followed.id}`)
    assert.deepEqual((stored['meta'] as { profile: string[] }).profile, profile)
    await contract.fhir.put(patient(id))
    const [notification] = await followed.read(1)
    assert.equal(notification?.focus, `Patient/${id}`)
    await contract.forget()
  }
}

/** A destination that was not stored, its topic stored. */
async function unstored(contract: ContractServer, more: DestinationOptions = {}) {
  const topic = contract.topic(anyPatient)
  await contract.fhir.put(topic)
  return contract.destination(topic, 'records', more)
}

async function assertRefusedWith(
  contract: ContractServer,
  faults: readonly (readonly [change: object, expression: string])[],
): Promise<void> {
  const destination = await unstored(contract)
  for (const [change, expression] of faults) {
    const body = JSON.stringify({ ...destination, ...change })
    const answer = await contract.fhir.request('POST', '/AidboxTopicDestination', body)
    assertRefused(answer, `AidboxTopicDestination.${expression}`)
  }
  const { body } = await contract.fhir.request('GET', `/AidboxTopicDestination/${destination.id}`)
  assert.equal(body['resourceType'], 'OperationOutcome', 'nothing is stored')
}

async function assertStored(contract: ContractServer, changes: readonly object[]): Promise<void> {
  const destination = await unstored(contract)
  for (const change of changes) {
    const stored = await contract.fhir.put({ ...destination, ...change })
    assert.deepEqual(withoutVersion(stored), { ...destination, ...change })
  }
}

const group = { resourceType: 'Group', type: 'person', actual: true }
/** The second Group has an element missing, so that the whole transaction fails. */
async function failingTransaction({ fhir }: ContractServer): Promise<void> {
  const entry = (resource: object) => ({ resource, request: { method: 'POST', url: 'Group' } })
  const { status } = await fhir.request('POST', '', {
    resourceType: 'Bundle',
    type: 'transaction',
    entry: [entry(group), entry({ resourceType: 'Group', type: 'person' })],
  })
  assert.ok(status >= 400 && status < 500, `${status}`)
}

export const destinationTests: Record<keyof typeof destinationRows, RowTest> = {
  'destination-profile-since-2604': (contract) =>
    assertProfilesDeliver(contract, profiles.since2604),

  'destination-profile-before-2604': (contract) =>
    assertProfilesDeliver(contract, profiles.before2604),

  'destination-profile-required': async (contract) => {
    const other = profiles.since2604['kafka-best-effort']
    await assertRefusedWith(contract, [
      [{ meta: undefined }, 'meta.profile'],
      [{ meta: { profile: ['http://example.org/profile'] } }, 'meta.profile'],
      [{ meta: { profile: [other] } }, 'meta.profile'],
    ])
  },

  'destination-kind': (contract) =>
    assertRefusedWith(contract, [
      [{ kind: undefined }, 'kind'],
      [{ kind: 'kafka' }, 'kind'],
    ]),

  'destination-other-kinds': (contract) =>
    assertRefusedWith(contract, [
      [{ kind: 'webhook-at-least-once' }, 'kind'],
      [{ kind: 'nats-best-effort' }, 'kind'],
    ]),

  'destination-topic': (contract) =>
    assertRefusedWith(contract, [
      [{ topic: undefined }, 'topic'],
      [{ topic: ['a'] }, 'topic'],
    ]),

  'destination-topic-missing': async (contract) => {
    const topic = contract.topic(anyPatient)
    const destination = contract.destination(topic, 'records')
    const answer = await contract.fhir.request('POST', '/AidboxTopicDestination', destination)
    assertRefused(answer, 'AidboxTopicDestination.topic')
    await contract.create(destination, topic)
    await contract.fhir.ok('GET', `/AidboxTopicDestination/${destination.id}`)
  },

  'destination-topic-gone': async (contract) => {
    const { id, topic } = await contract.follow(anyPatient)
    assert.equal((await contract.fhir.status(id)).state, 'active')
    await contract.fhir.ok('DELETE', `/AidboxSubscriptionTopic/${topic.id}`)
    const answer = await contract.fhir.request('GET', `/AidboxTopicDestination/${id}/$status`)
    assert.equal(answer.status, 200)
    const parameters = answer.body['parameter'] as { name: string; valueString?: string }[]
    const textOf = (name: string) => parameters.find((each) => each.name === name)?.valueString
    assert.equal(textOf('status'), 'error')
    assert.ok(textOf('statusReason')?.includes(String(topic['url'])))
    await contract.fhir.put(topic)
    assert.equal((await contract.fhir.status(id)).state, 'active')
  },

  'destination-status': async (contract) => {
    await assertStored(contract, [{}, { status: 'active' }])
  },

  'destination-status-off': async (contract) => {
    const id = uniqueName('p')
    const { destination, ...followed } = await contract.follow(anyPatient, actionsOnly)
    await contract.fhir.put({ ...destination, status: 'off' })
    await contract.fhir.put(patient(id))
    const paused = await contract.fhir.status(followed.id)
    assert.deepEqual([paused.state, paused.count('messagesQueued')], ['off', 1])
    await contract.fhir.put({ ...destination, status: 'active' })
    const selected = await selectedSoFar(contract, { destination, ...followed })
    assert.deepEqual(selected, [`create Patient/${id}`])
  },

  'destination-status-codes': async (contract) => {
    const codes = ['requested', 'active', 'error', 'off', 'entered-in-error']
    await assertStored(
      contract,
      codes.map((status) => ({ status })),
    )
    await assertRefusedWith(contract, [[{ status: 'paused' }, 'status']])
  },

  'destination-parameter': (contract) =>
    assertRefusedWith(contract, [
      [{ parameter: undefined }, 'parameter'],
      [{ parameter: [] }, 'parameter'],
      [{ parameter: [{ valueString: 'records' }] }, 'parameter'],
      [{ parameter: [{ name: 'kafkaTopic' }] }, 'parameter'],
    ]),

  'destination-content': async (contract) => {
    const modes = ['full-resource', 'id-only', 'empty']
    await assertStored(
      contract,
      modes.map((content) => ({ content })),
    )
    await assertRefusedWith(contract, [[{ content: 'full' }, 'content']])
  },

  'destination-flags': async (contract) => {
    const flags = [
      'includeEntryAction',
      'includeVersionId',
      'includeVersionIdInFocusReference',
      'enableLogging',
    ]
    await assertStored(
      contract,
      [true, false].map((value) => Object.fromEntries(flags.map((flag) => [flag, value]))),
    )
    await assertRefusedWith(
      contract,
      flags.map((flag) => [{ [flag]: 'true' }, flag] as const),
    )
  },

  'destination-log-level': async (contract) => {
    const levels = ['error', 'warn', 'info', 'debug', 'trace']
    await assertStored(
      contract,
      levels.map((logLevel) => ({ logLevel })),
    )
    await assertRefusedWith(contract, [[{ logLevel: 'fatal' }, 'logLevel']])
  },

  'destination-as-written': async (contract) => {
    const destination = await unstored(contract, {
      parameter: [
        { name: 'requestTimeoutMs', valuePositiveInt: 20_000 },
        { name: 'bootstrapServers', valueUrl: contract.kafka.bootstrapServers },
        { name: 'batchSize', valueUnsignedInt: 0 },
        { name: 'maxRequestSize', valueInteger: 1_000_000 },
        { name: 'compressionType', valueCode: 'lz4' },
        { name: 'keyByResourceId', valueBoolean: false },
      ],
      content: 'id-only',
      includeEntryAction: false,
      extension: [{ url: 'http://example.org/owner', valueString: 'ward' }],
    })
    const created = await contract.fhir.ok('POST', '/AidboxTopicDestination', destination)
    const read = await contract.fhir.ok('GET', `/AidboxTopicDestination/${destination.id}`)
    assert.deepEqual(withoutVersion(read), destination)
    assert.deepEqual(read, created)
  },

  'destination-keeps-id': async (contract) => {
    const topic = contract.topic(anyPatient)
    await contract.fhir.put(topic)
    const post = { method: 'POST', url: 'AidboxTopicDestination' }
    const [alone, inBatch, inTransaction] = [1, 2, 3].map(() =>
      contract.destination(topic, 'records'),
    )
    assert.ok(alone && inBatch && inTransaction)
    const answer = await contract.fhir.request('POST', '/AidboxTopicDestination', alone)
    assert.deepEqual([answer.status, answer.body['id']], [201, alone.id])
    assert.deepEqual(await contract.batch([{ resource: inBatch, request: post }]), ['201'])
    await contract.create(inTransaction)
    for (const { id } of [inBatch, inTransaction]) {
      const stored = await contract.fhir.ok('GET', `/AidboxTopicDestination/${id}`)
      assert.equal(stored['id'], id)
    }
  },

  'destination-search-topic': async (contract) => {
    const topics = [contract.topic(anyPatient), contract.topic(anyPatient)]
    const destinations = topics.map((topic) => contract.destination(topic, 'records'))
    await contract.create(...topics, ...destinations)
    const url = encodeURIComponent(String(topics[0]?.['url']))
    const { entry } = await contract.fhir.ok('GET', `/AidboxTopicDestination?topic=${url}`)
    assert.deepEqual(
      (entry as { resource: { id: string } }[]).map(({ resource }) => resource.id),
      [destinations[0]?.id],
    )
  },

  'destination-conditional-create': async (contract) => {
    const destination = await unstored(contract)
    const condition = { 'if-none-exist': `_id=${destination.id}` }
    const post = (resource: object) =>
      contract.fhir.request('POST', '/AidboxTopicDestination', resource, condition)
    assert.equal((await post(destination)).status, 201)
    const again = await post({ ...destination, content: 'empty' })
    assert.equal(again.status, 200)
    assert.deepEqual(withoutVersion(again.body), destination, 'the stored one is left alone')
  },

  'destination-update': async (contract) => {
    const id = uniqueName('p')
    const { fhir, kafka } = contract
    const { destination, ...followed } = await contract.follow(anyPatient)
    const path = `/AidboxTopicDestination/${destination.id}`
    const deliver = async (turn: number) => {
      await fhir.put(patient(`${id}-${turn}`))
      await fhir.untilStatus(destination.id, ({ count }) => count('messagesDelivered') === turn)
    }
    await deliver(1)
    const elsewhere = await newTopic(kafka.bootstrapServers)
    const parameter = (destination['parameter'] as { name: string }[]).map((each) =>
      each.name === 'kafkaTopic' ? { name: 'kafkaTopic', valueString: elsewhere } : each,
    )
    const request = { method: 'PUT', url: path.slice(1) }
    const moved = { ...destination, parameter }
    assert.deepEqual(await contract.batch([{ resource: moved, request }]), ['200'])
    await deliver(2)
    await fhir.ok(
      'PATCH',
      path,
      { includeVersionIdInFocusReference: true },
      {
        'content-type': 'application/merge-patch+json',
      },
    )
    await deliver(3)
    await fhir.put({ ...moved, content: 'empty' })
    await deliver(4)
    const before = await followed.read(1)
    const after = await readNotifications(kafka.bootstrapServers, elsewhere, 3)
    const shown = [...before, ...after].map(({ event, focus, entry }) => [
      event.eventNumber,
      focus.replace(/^Patient\//, ''),
      entry !== undefined,
    ])
    assert.deepEqual(shown.slice(0, 1), [[1, `${id}-1`, true]])
    assert.deepEqual(shown[3], [4, `${id}-4`, false])
    assert.match(String(shown[2]?.[1]), new RegExp(`^${id}-3/_history/`))
    assert.deepEqual(
      shown.map(([eventNumber]) => eventNumber),
      [1, 2, 3, 4],
    )
  },

  'destination-update-topic': async (contract) => {
    const id = uniqueName('p')
    const { fhir } = contract
    const { destination, ...followed } = await contract.follow(anyPatient, { status: 'off' })
    const groups = contract.topic({ resource: 'Group' })
    await fhir.put(groups)
    await fhir.put(patient(`${id}-1`))
    await fhir.put({ ...destination, topic: groups['url'] })
    await fhir.put(patient(`${id}-2`))
    await fhir.put({ ...group, id })
    assert.equal((await fhir.status(destination.id)).count('messagesQueued'), 2)
    await fhir.put({ ...destination, topic: groups['url'], status: 'active' })
    const notifications = await followed.read(2)
    assert.deepEqual(
      notifications.map(({ focus, event, status }) => [focus, event.eventNumber, status['topic']]),
      [
        [`Patient/${id}-1`, 1, followed.topic['url']],
        [`Group/${id}`, 2, groups['url']],
      ],
    )
  },

  'destination-update-kind': async (contract) => {
    const { destination } = await contract.follow(anyPatient)
    const path = `AidboxTopicDestination/${destination.id}`
    const profile = [profiles.since2604['kafka-best-effort']]
    const other = { ...destination, kind: 'kafka-best-effort', meta: { profile } }
    const answer = await contract.fhir.request('PUT', `/${path}`, other)
    assertRefused(answer, 'AidboxTopicDestination.kind')
    const replaced = await contract.batch([
      { request: { method: 'DELETE', url: path } },
      { request: { method: 'POST', url: 'AidboxTopicDestination' }, resource: other },
    ])
    assert.deepEqual(replaced, ['204', '201'])
    const { names } = await contract.fhir.status(destination.id)
    assert.ok(names.includes('messagesLost'))
  },

  'destination-strict': async (contract) => {
    const server = await contract.startServer({ strictAidbox: true })
    const fhir = new FhirClient(server.url)
    const topic = contract.topic(anyPatient)
    const destination = contract.destination(topic, 'records', { status: 'off' })
    const path = `AidboxTopicDestination/${destination.id}`
    await fhir.put(topic)
    await fhir.put({ ...topic, title: 'A topic takes PUT' })
    await fhir.ok('POST', '/AidboxTopicDestination', destination)
    const changed = { ...destination, content: 'empty' }
    const put = { resource: changed, request: { method: 'PUT', url: path } }
    const patch = [{ op: 'add', path: '/content', value: 'empty' }]
    assert.equal((await fhir.request('PUT', `/${path}`, changed)).status, 405)
    assert.equal((await fhir.request('PATCH', `/${path}`, patch)).status, 405)
    const bundle = (type: string, ...entry: object[]) =>
      fhir.request('POST', '', { resourceType: 'Bundle', type, entry })
    const statusesOf = ({ body }: { body: Record<string, unknown> }) =>
      (body['entry'] as { response: { status: string } }[]).map(({ response }) =>
        response.status.slice(0, 3),
      )
    assert.deepEqual(statusesOf(await bundle('batch', put)), ['405'])
    assert.equal((await bundle('transaction', put)).status, 405)
    const stored = await fhir.ok('GET', `/${path}`)
    assert.deepEqual(withoutVersion(stored), destination, 'nothing has changed')
    const post = { resource: changed, request: { method: 'POST', url: 'AidboxTopicDestination' } }
    const replaced = await bundle('batch', { request: { method: 'DELETE', url: path } }, post)
    assert.deepEqual(statusesOf(replaced), ['204', '201'])
    assert.deepEqual(withoutVersion(await fhir.ok('GET', `/${path}`)), changed)
    await server.close()
  },

  'destination-replace': async (contract) => {
    const id = uniqueName('p')
    const kafkaTopic = await newTopic(contract.kafka.bootstrapServers)
    const topic = contract.topic(anyPatient)
    await contract.fhir.put(topic)
    const resource = contract.destination(topic, kafkaTopic)
    const replace = () =>
      contract.batch([
        { request: { method: 'DELETE', url: `AidboxTopicDestination/${resource.id}` } },
        { request: { method: 'POST', url: 'AidboxTopicDestination' }, resource },
      ])
    for (const turn of [1, 2]) {
      assert.deepEqual(await replace(), ['204', '201'])
      const stored = await contract.fhir.ok('GET', `/AidboxTopicDestination/${resource.id}`)
      assert.deepEqual(withoutVersion(stored), resource)
      await contract.fhir.put(patient(`${id}-${turn}`))
      await contract.fhir.untilStatus(resource.id, ({ count }) => count('messagesDelivered') === 1)
    }
    const notifications = await readNotifications(contract.kafka.bootstrapServers, kafkaTopic, 2)
    assert.deepEqual(
      notifications.map(({ focus }) => focus),
      [`Patient/${id}-1`, `Patient/${id}-2`],
    )
  },

  'destination-delete': async (contract) => {
    const id = uniqueName('p')
    const followed = await contract.follow(anyPatient, actionsOnly)
    const { destination } = followed
    await contract.fhir.put(patient(`${id}-1`))
    assert.equal((await selectedSoFar(contract, followed)).length, 1)
    await contract.fhir.ok('DELETE', `/AidboxTopicDestination/${destination.id}`)
    await contract.fhir.put(patient(`${id}-2`))
    await contract.create(destination)
    await contract.fhir.put(patient(`${id}-3`))
    const notifications = await followed.read(2)
    assert.deepEqual(
      notifications.map(({ focus }) => focus),
      [`Patient/${id}-1`, `Patient/${id}-3`],
    )
  },

  'destination-delete-missing': async (contract) => {
    const url = `AidboxTopicDestination/${uniqueName('never')}`
    assert.equal((await contract.fhir.request('DELETE', `/${url}`)).status, 204)
    const entry = [{ request: { method: 'DELETE', url } }]
    assert.deepEqual(await contract.batch(entry), ['204'])
    const transaction = { resourceType: 'Bundle', type: 'transaction', entry }
    assert.equal((await contract.fhir.request('POST', '', transaction)).status, 404)
  },

  'destination-several': async (contract) => {
    const id = uniqueName('p')
    const first = await contract.follow(anyPatient)
    const others = await Promise.all(kinds.map(() => newTopic(contract.kafka.bootstrapServers)))
    const destinations = kinds.map((kind, index) =>
      contract.destination(first.topic, others[index] ?? '', { kind, content: 'empty' }),
    )
    await contract.create(...destinations)
    await contract.fhir.put(patient(id))
    assert.equal((await first.read(1))[0]?.focus, `Patient/${id}`)
    for (const kafkaTopic of others) {
      const [got] = await readNotifications(contract.kafka.bootstrapServers, kafkaTopic, 1)
      assert.deepEqual([got?.focus, got?.entry], [`Patient/${id}`, undefined])
    }
  },

  'at-least-once-transaction': async (contract) => {
    const followed = await contract.follow({ resource: 'Group' }, actionsOnly)
    await failingTransaction(contract)
    assert.deepEqual(await selectedSoFar(contract, followed), [])
    const ids = [uniqueName('g'), uniqueName('g')]
    await contract.fhir.ok('POST', '', {
      resourceType: 'Bundle',
      type: 'transaction',
      entry: ids.map((id) => ({
        resource: { ...group, id },
        request: { method: 'PUT', url: `Group/${id}` },
      })),
    })
    const selected = await selectedSoFar(contract, followed)
    assert.deepEqual(selected.toSorted(), ids.map((id) => `create Group/${id}`).toSorted())
  },

  'at-least-once-waits': async (contract) => {
    const id = uniqueName('p')
    const parameter = [deadBroker, { name: 'maxBlockMs', valueInteger: 500 }]
    const followed = await contract.follow(anyPatient, { ...actionsOnly, parameter })
    await contract.fhir.put(patient(id))
    const waiting = await contract.fhir.untilStatus(followed.id, ({ errors }) => errors.length > 0)
    assert.equal(waiting.count('messagesQueued') + waiting.count('messagesInProcess'), 1)
    const back = contract.destination(followed.topic, followed.kafkaTopic, actionsOnly)
    await contract.fhir.put({ ...back, id: followed.id })
    assert.deepEqual(await selectedSoFar(contract, followed), [`create Patient/${id}`])
  },

  'at-least-once-kafka-transactions': async (contract) => {
    const offsets = async (kind: Kind) => {
      const id = uniqueName('p')
      const followed = await contract.follow(anyPatient, { kind })
      for (const turn of [1, 2]) {
        await contract.fhir.put(patient(`${id}-${turn}`))
        await contract.fhir.untilStatus(
          followed.id,
          ({ count }) => count('messagesDelivered') === turn,
        )
      }
      const notifications = await followed.read(2)
      return notifications.map(({ record }) => record.offset)
    }
    // The end of a Kafka transaction takes an offset of its own.
    assert.deepEqual(await offsets('kafka-at-least-once'), [0, 2])
    assert.deepEqual(await offsets('kafka-best-effort'), [0, 1])
  },

  'at-least-once-replication-factor': async (contract) => {
    const settings = { 'transaction.state.log.replication.factor': '3' }
    const broker = await privateKafka({ name: 'replication factor' }, { settings })
    try {
      const { bootstrapServers } = broker
      const { id } = await contract.follow(anyPatient, {
        parameter: [
          { name: 'bootstrapServers', valueString: bootstrapServers },
          { name: 'maxBlockMs', valueInteger: 500 },
        ],
      })
      await contract.fhir.put(patient(uniqueName('p')))
      const named = /Timeout expired after 500ms while awaiting InitProducerId/
      await contract.fhir.untilStatus(id, ({ errors }) => errors.some((text) => named.test(text)))
      await contract.forget()
    } finally {
      await broker.stop()
    }
  },

  'at-least-once-too-large': async (contract) => {
    const id = uniqueName('p')
    const parameter = [{ name: 'maxRequestSize', valueInteger: 2000 }]
    const { id: destinationId, read } = await contract.follow(anyPatient, { parameter })
    await contract.fhir.put(patient(`${id}-1`))
    await contract.fhir.put(patient(`${id}-2`, { name: [{ text: 'x'.repeat(3000) }] }))
    await contract.fhir.put(patient(`${id}-3`))
    const notifications = await read(2)
    assert.deepEqual(
      notifications.map(({ focus, event }) => [focus, event.eventNumber]),
      [
        [`Patient/${id}-1`, 1],
        [`Patient/${id}-3`, 3],
      ],
    )
    await contract.fhir.untilStatus(destinationId, ({ count }) => count('messagesDead') === 1)
  },

  'best-effort-lost': async (contract) => {
    const { id } = await contract.follow(anyPatient, {
      kind: 'kafka-best-effort',
      parameter: [
        deadBroker,
        { name: 'requestTimeoutMs', valueInteger: 200 },
        { name: 'deliveryTimeoutMs', valueInteger: 200 },
      ],
    })
    await contract.fhir.put(patient(uniqueName('p')))
    const { count } = await contract.fhir.untilStatus(
      id,
      (status) => status.count('messagesLost') === 1,
    )
    assert.deepEqual([count('messagesDelivered'), count('messagesInProcess')], [0, 0])
  },

  'best-effort-transaction': async (contract) => {
    const kind = 'kafka-best-effort'
    const { id, read } = await contract.follow({ resource: 'Group' }, { kind })
    await failingTransaction(contract)
    const stored = await contract.fhir.ok('POST', '/Group', group)
    const [notification, ...others] = await read(1)
    assert.equal(notification?.focus, `Group/${String(stored['id'])}`)
    assert.deepEqual([notification.event.eventNumber, others], [1, []])
    const { count } = await contract.fhir.status(id)
    assert.equal(count('messagesDelivered') + count('messagesLost') + count('messagesInProcess'), 1)
  },
}
