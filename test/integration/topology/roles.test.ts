import assert from 'node:assert/strict'
import { after, before, describe, it } from 'node:test'
import {
  AclOperations,
  AclPermissionTypes,
  Admin,
  ConfigResourceTypes,
  Consumer,
  IncrementalAlterConfigOperationTypes,
  Producer,
  ResourcePatternTypes,
  ResourceTypes,
  stringSerializers,
  type BaseOptions,
} from '@platformatic/kafka'
import { applyTopology } from '../../../src/topology/apply-topology.ts'
import type { ClusterAdmin } from '../../../src/topology/cluster-admin.ts'
import { clusterFailure } from '../../../src/topology/cluster-failure.ts'
import { connectClusterAdmin } from '../../../src/topology/connect-cluster-admin.ts'
import { resolveTopology } from '../../../src/topology/resolve-topology.ts'
import type { KafkaBroker } from '../../helpers/kafka.ts'
import { uniqueName } from '../../helpers/kafka.ts'
import { readTopology, topologySource } from '../../helpers/topology.ts'
import { transactionalProducer } from '../kafka/producers.ts'
import { record } from '../kafka/records.ts'
import { altinnBroker, passwords, type User } from './credentials.ts'

const inside = 'altinn.notifications.sms.queue'
const outside = 'elsewhere.sms.queue'
/** Of the FHIR destination in the file. */
const delivered = 'altinn.notifications.orders.pastdue'

/** Kafka's TRANSACTIONAL_ID_AUTHORIZATION_FAILED. */
const transactionalIdAuthorization = 53

interface Attempt {
  readonly name: string
  /** The principals that the file lets do it. */
  readonly allowed: readonly User[]
  readonly run: (as: BaseOptions) => Promise<unknown>
}

const users = Object.keys(passwords) as User[]

describe('the rights of examples/altinn/altinn-repaired.yaml, on a broker', () => {
  let broker: KafkaBroker
  let superUser: ClusterAdmin
  let topicIds: ReadonlyMap<string, string>
  let brokerId: number

  before(async () => {
    broker = await altinnBroker()
    superUser = await connectClusterAdmin(topologySource('topics: {}'), {
      bootstrapServers: broker.bootstrapServers,
    })
    const topology = resolveTopology(readTopology('examples/altinn/altinn-repaired.yaml'), 'local')
    const { left } = await applyTopology(topology, superUser)
    assert.deepEqual(left, [])
    for (const name of [outside, 'elsewhere.altinn.notifications.x']) {
      await superUser.createTopic({ name, partitions: 1, replicationFactor: 1, config: {} })
    }
    await withAdmin(
      { clientId: 'ids', bootstrapBrokers: [broker.bootstrapServers] },
      async (admin) => {
        const metadata = await admin.metadata({ topics: [inside, outside, delivered] })
        topicIds = new Map([...metadata.topics].map(([name, { id }]) => [name, id]))
        brokerId = [...metadata.brokers.keys()][0] ?? 0
      },
    )
  })

  after(async () => {
    await superUser.close()
    await broker.stop()
  })

  const attempts: readonly Attempt[] = [
    ...onTopics('describe', users, describeTopic),
    ...onTopics('describe the settings of', ['notif-admin'], describeSettings),
    ...onTopics('alter the settings of', ['notif-admin'], alterSettings),
    ...onTopics('add partitions to', ['notif-admin'], addPartitions),
    ...onTopics('produce to', ['notif-producer'], produce),
    ...onTopics('fetch from', ['notif-consumer'], fetchFrom),
    ...onTopics('delete the records of', [], (as, topic) =>
      withAdmin(as, (admin) =>
        admin.deleteRecords({
          topics: [{ name: topic, partitions: [{ partition: 0, offset: 0n }] }],
        }),
      ),
    ),
    ...onTopics('delete', [], (as, topic) =>
      withAdmin(as, (admin) => admin.deleteTopics({ topics: [topic] })),
    ),
    attempt('fetch from the topic of the destination', ['notif-producer', 'notif-consumer'], (as) =>
      fetchFrom(as, delivered),
    ),
    attempt('create a topic inside', ['notif-admin'], (as) => createTopic(as, 'altinn.platform.')),
    attempt('create a topic outside', [], (as) => createTopic(as, 'elsewhere.')),
    attempt('create a topic of a name that goes on otherwise', [], (as) =>
      createTopic(as, 'altinn.other.'),
    ),
    attempt('join a group of the services', ['notif-consumer'], (as) =>
      join(as, 'altinn-notifications-'),
    ),
    attempt('join a group of the destination', ['notif-producer'], (as) =>
      join(as, 'fhir-notifications-'),
    ),
    attempt('join another group', [], (as) => join(as, 'elsewhere-')),
    ...onGroups('describe', ['notif-consumer'], ['notif-producer'], (as, groupId) =>
      withAdmin(as, (admin) => admin.describeGroups({ groups: [groupId] })),
    ),
    ...onGroups('read the offsets of', ['notif-consumer'], ['notif-producer'], (as, groupId) =>
      withAdmin(as, (admin) => admin.listConsumerGroupOffsets({ groups: [groupId] })),
    ),
    ...onGroups('delete', [], [], (as, groupId) =>
      withAdmin(as, (admin) => admin.deleteGroups({ groups: [groupId] })),
    ),
    attempt('be idempotent', ['notif-producer'], beIdempotent),
    attempt('read ACLs', [], (as) =>
      withAdmin(as, (admin) => admin.describeAcls({ filter: anyAcl })),
    ),
    attempt('add an ACL', [], (as) =>
      withAdmin(as, (admin) => admin.createAcls({ creations: [ownRight(as)] })),
    ),
    attempt('remove ACLs', [], (as) =>
      withAdmin(as, (admin) => admin.deleteAcls({ filters: [ownRight(as)] })),
    ),
    attempt('describe the settings of a broker', [], (as) =>
      withAdmin(as, (admin) => admin.describeConfigs({ resources: [brokerResource()] })),
    ),
    attempt('alter the settings of a broker', [], (as) =>
      withAdmin(as, (admin) => {
        const { SET } = IncrementalAlterConfigOperationTypes
        const configs = [{ name: 'log.cleaner.threads', configOperation: SET, value: '1' }]
        return admin.incrementalAlterConfigs({ resources: [{ ...brokerResource(), configs }] })
      }),
    ),
  ]

  for (const { name, allowed, run } of attempts) {
    for (const user of users) {
      const may = allowed.includes(user)
      it(`${user} ${may ? 'may' : 'may not'} ${name}`, async () => {
        const outcome = await outcomeOf(run(credentials(user)))
        assert.equal(outcome, may ? 'done' : 'not authorized')
      })
    }
  }

  for (const user of users) {
    for (const prefix of ['fhir-notifications-', 'elsewhere-']) {
      const may = user === 'notif-producer' && prefix === 'fhir-notifications-'
      it(`${user} ${may ? 'may' : 'may not'} deliver as ${prefix}…, with a checkpoint`, async (t) => {
        const values = {
          kafkaTopic: delivered,
          bootstrapServers: broker.saslBootstrapServers,
          securityProtocol: 'SASL_PLAINTEXT',
          saslMechanism: 'PLAIN',
          saslJaasConfig: `org.apache.kafka.common.security.plain.PlainLoginModule required username="${user}" password="${passwords[user]}";`,
        }
        const producer = transactionalProducer(t, values, uniqueName(prefix))
        const delivery = async (): Promise<number | undefined> => {
          await producer.start()
          await producer.sendPage([record(delivered, 'a')], () => Promise.resolve(7))
          return producer.readCheckpoint()
        }
        if (may) assert.equal(await delivery(), 7)
        else await assert.rejects(delivery(), { kafkaCode: transactionalIdAuthorization })
      })
    }
  }

  function onTopics(
    what: string,
    allowed: readonly User[],
    run: (as: BaseOptions, topic: string) => Promise<unknown>,
  ): Attempt[] {
    return [
      attempt(`${what} a topic inside`, allowed, (as) => run(as, inside)),
      attempt(`${what} a topic outside`, [], (as) => run(as, outside)),
    ]
  }

  function onGroups(
    what: string,
    ofServices: readonly User[],
    ofDestination: readonly User[],
    run: (as: BaseOptions, groupId: string) => Promise<unknown>,
  ): Attempt[] {
    return [
      attempt(`${what} a group of the services`, ofServices, (as) =>
        run(as, uniqueName('altinn-notifications-')),
      ),
      attempt(`${what} a group of the destination`, ofDestination, (as) =>
        run(as, uniqueName('fhir-notifications-')),
      ),
      attempt(`${what} another group`, [], (as) => run(as, uniqueName('elsewhere-'))),
    ]
  }

  function brokerResource() {
    return { resourceType: ConfigResourceTypes.BROKER, resourceName: String(brokerId) }
  }

  async function beIdempotent(as: BaseOptions): Promise<unknown> {
    const producer = new Producer({ ...as, serializers: stringSerializers })
    try {
      return await producer.initIdempotentProducer({})
    } finally {
      await producer.close()
    }
  }

  function attempt(name: string, allowed: readonly User[], run: Attempt['run']): Attempt {
    return { name, allowed, run }
  }

  function credentials(user: User): BaseOptions {
    return {
      clientId: user,
      bootstrapBrokers: [broker.saslBootstrapServers],
      // The first group and the first transaction wait for topics of Kafka's own.
      retries: 50,
      retryDelay: 100,
      sasl: { mechanism: 'PLAIN', username: user, password: passwords[user] },
    }
  }

  function describeTopic(as: BaseOptions, topic: string): Promise<unknown> {
    return withAdmin(as, (admin) => admin.metadata({ topics: [topic] }))
  }

  function describeSettings(as: BaseOptions, topic: string): Promise<unknown> {
    return withAdmin(as, (admin) => admin.describeConfigs({ resources: [topicResource(topic)] }))
  }

  function alterSettings(as: BaseOptions, topic: string): Promise<unknown> {
    const { SET } = IncrementalAlterConfigOperationTypes
    const configs = [{ name: 'flush.messages', configOperation: SET, value: '1000' }]
    return withAdmin(as, (admin) =>
      admin.incrementalAlterConfigs({ resources: [{ ...topicResource(topic), configs }] }),
    )
  }

  async function addPartitions(as: BaseOptions, topic: string): Promise<unknown> {
    const [live] = await superUser.describeTopics([topic])
    const count = (live?.partitions ?? 0) + 1
    return withAdmin(as, (admin) => admin.createPartitions({ topics: [{ name: topic, count }] }))
  }

  function createTopic(as: BaseOptions, prefix: string): Promise<unknown> {
    return withAdmin(as, (admin) =>
      admin.createTopics({ topics: [uniqueName(prefix)], partitions: 1, replicas: 1 }),
    )
  }

  async function produce(as: BaseOptions, topic: string): Promise<unknown> {
    const producer = new Producer({ ...as, serializers: stringSerializers })
    try {
      return await producer.send({ messages: [{ topic, partition: 0, value: 'x' }] })
    } finally {
      await producer.close()
    }
  }

  async function fetchFrom(as: BaseOptions, topic: string): Promise<unknown> {
    const consumer = new Consumer({ ...as, groupId: 'none' })
    const partition = {
      partition: 0,
      currentLeaderEpoch: -1,
      fetchOffset: 0n,
      lastFetchedEpoch: -1,
      partitionMaxBytes: 1000,
    }
    const topics = [{ topicId: topicIds.get(topic) ?? '', partitions: [partition] }]
    try {
      return await consumer.fetch({ node: brokerId, maxWaitTime: 1, topics })
    } finally {
      await consumer.close()
    }
  }

  async function join(as: BaseOptions, prefix: string): Promise<unknown> {
    const consumer = new Consumer({ ...as, groupId: uniqueName(prefix) })
    try {
      return await consumer.joinGroup({})
    } finally {
      await consumer.close()
    }
  }
})

const anyAcl = {
  resourceType: 1,
  resourceName: null,
  resourcePatternType: 1,
  principal: null,
  host: null,
  operation: 1,
  permissionType: 1,
} as const

/** Everything on all topics, for whoever asks. */
function ownRight({ clientId }: BaseOptions) {
  return {
    resourceType: ResourceTypes.TOPIC,
    resourceName: 'elsewhere.',
    resourcePatternType: ResourcePatternTypes.PREFIXED,
    principal: `User:${clientId}`,
    host: '*',
    operation: AclOperations.ALL,
    permissionType: AclPermissionTypes.ALLOW,
  }
}

function topicResource(resourceName: string) {
  return { resourceType: ConfigResourceTypes.TOPIC, resourceName }
}

async function withAdmin<Answer>(
  as: BaseOptions,
  work: (admin: Admin) => Promise<Answer>,
): Promise<Answer> {
  const admin = new Admin(as)
  try {
    return await work(admin)
  } finally {
    await admin.close()
  }
}

/** A refusal for any other reason is told as it is, and fails the test. */
async function outcomeOf(work: Promise<unknown>): Promise<string> {
  try {
    await work
    return 'done'
  } catch (error) {
    const failure = clusterFailure('failed', error)
    return failure.isUnauthorized ? 'not authorized' : failure.message
  }
}
