import assert from 'node:assert/strict'
import { after, before, describe, it, type TestContext } from 'node:test'
import type { Acl } from '../../../src/topology/acl.ts'
import { applyTopology } from '../../../src/topology/apply-topology.ts'
import type { ClusterAdmin } from '../../../src/topology/cluster-admin.ts'
import { connectClusterAdmin } from '../../../src/topology/connect-cluster-admin.ts'
import { putScramUsers } from '../../helpers/kafka-principals.ts'
import { testKafka, uniqueName } from '../../helpers/kafka.ts'
import { topologyOf, topologySource } from '../../helpers/topology.ts'
import type { TestResource } from '../../helpers/topic-resources.ts'
import {
  destination,
  patient,
  patientsTopic,
  startNodes,
  untilStatus,
  type Status,
} from '../delivery/nodes.ts'

const { bootstrapServers, saslBootstrapServers } = await testKafka()

/** What becomes of a destination without one of its rights. */
type Outcome =
  /** The right is there all the same: Kafka's authorizer takes Write for Describe. */
  | 'delivers'
  /** Each event is delivered, and a crash could deliver some twice. */
  | 'delivers without checkpoint'
  /** $status says this, and nothing is delivered. */
  | RegExp

interface Case {
  readonly name: string
  readonly destination: string
  /** Each right by `operation resource type`, which is one right of the destination, with what becomes without it. */
  readonly without: Readonly<Record<string, Outcome>>
  readonly hasCheckpointTopic?: true
  /** What $status says all the same. */
  readonly told?: readonly string[]
}

const unwritable = /Topic authorization failed: the Kafka principal may not write/
/** A broker lets nobody be idempotent who may write to no topic at all. */
const notIdempotent = /Cluster authorization failed: the Kafka principal needs Write on the topic/
const transactional: Readonly<Record<string, Outcome>> = {
  'WRITE TOPIC': unwritable,
  'DESCRIBE TOPIC': 'delivers',
  'WRITE TRANSACTIONAL_ID': /Transactional id authorization failed/,
  'DESCRIBE TRANSACTIONAL_ID': 'delivers',
  'READ GROUP': 'delivers without checkpoint',
  'READ TOPIC': 'delivers without checkpoint',
}

const cases: readonly Case[] = [
  {
    name: 'best effort',
    destination: 'kind: kafka-best-effort',
    without: { 'WRITE TOPIC': notIdempotent, 'DESCRIBE TOPIC': 'delivers' },
  },
  {
    name: 'at least once, without transactions',
    destination: 'kind: kafka-at-least-once, transactional: false',
    told: ['The option transactional is false, so a crash can send events twice.'],
    without: { 'WRITE TOPIC': notIdempotent, 'DESCRIBE TOPIC': 'delivers' },
  },
  { name: 'at least once', destination: 'kind: kafka-at-least-once', without: transactional },
  {
    name: 'at least once, with checkpoints on a topic of their own',
    destination: 'kind: kafka-at-least-once',
    without: transactional,
    hasCheckpointTopic: true,
  },
]

describe('the rights of a destination, on a broker with an authorizer', () => {
  let superUser: ClusterAdmin

  before(async () => {
    superUser = await connectClusterAdmin(topologySource('topics: {}'), { bootstrapServers })
  })

  after(() => superUser.close())

  for (const { name, destination: entry, without, hasCheckpointTopic, told = [] } of cases) {
    const keepsCheckpoint = 'READ GROUP' in without

    it(`${name}: delivers with exactly these`, async (t) => {
      const { status, rights } = await delivered(t, entry, isDelivered, hasCheckpointTopic)
      assert.deepEqual(rights, Object.keys(without).toSorted())
      assert.deepEqual(status.errors, told)
      if (keepsCheckpoint) assert.equal(status['exactlyOnce'], true)
    })

    for (const [right, outcome] of Object.entries(without)) {
      const does = outcome instanceof RegExp ? 'does not deliver' : outcome
      it(`${name}: ${does} when ${right} is missing`, async (t) => {
        const isEnd = (status: Status): boolean => {
          if (outcome instanceof RegExp) return outcome.test(status.errors.join())
          if (outcome === 'delivers') return isDelivered(status)
          return isDelivered(status) && status['exactlyOnce'] === false
        }
        const { status } = await delivered(t, entry, isEnd, hasCheckpointTopic, right)
        if (outcome instanceof RegExp) assert.equal(status['messagesDelivered'], 0)
        else if (keepsCheckpoint) assert.equal(status['exactlyOnce'], outcome === 'delivers')
      })
    }
  }

  /** Gives a new principal the rights of a destination, all but one, and has the module deliver an event with them.
   *  @returns $status at the end, and the rights by operation and resource type */
  async function delivered(
    t: TestContext,
    entry: string,
    isEnd: (status: Status) => boolean,
    hasCheckpointTopic = false,
    missing?: string,
  ): Promise<{ status: Status; rights: string[] }> {
    const [user, kafkaTopic] = [uniqueName('fhir'), uniqueName('events')]
    const [prefix, checkpoints] = [uniqueName('prefix'), uniqueName('checkpoints')]
    await putScramUsers(bootstrapServers, { [user]: 'secret' })
    const topology = topologyOf(`principals: { fhir: { user: 'User:${user}' } }
topics: { ${kafkaTopic}: { external: true }, ${checkpoints}: { external: true } }
fhir:
  transactionalIdPrefix: ${prefix}
  ${hasCheckpointTopic ? `checkpointTopic: ${checkpoints}` : ''}
  destinations: [{ id: d, kafkaTopic: ${kafkaTopic}, principal: fhir, ${entry} }]`)
    const rights = topology.acls.map(textOf).toSorted()
    const acls = topology.acls.filter((acl) => textOf(acl) !== missing)
    const { left } = await applyTopology({ ...topology, acls }, superUser)
    assert.deepEqual(left, [])

    const { first } = await startNodes(t, 1, {
      transactionalIdPrefix: prefix,
      transactional: !entry.includes('transactional: false'),
      ...(hasCheckpointTopic ? { checkpointTopic: checkpoints } : {}),
    })
    await first.host.put(patientsTopic)
    await first.host.put(destinationOf(user, kafkaTopic, entry))
    await first.host.put(patient('a'))
    return { status: await untilStatus(first, 'd', isEnd), rights }
  }
})

function isDelivered(status: Status): boolean {
  return status['messagesDelivered'] === 1
}

function textOf({ operation, resourceType }: Acl): string {
  return `${operation} ${resourceType}`
}

function destinationOf(user: string, kafkaTopic: string, entry: string): TestResource {
  const kind = entry.includes('at-least-once') ? 'kafka-at-least-once' : 'kafka-best-effort'
  const made = destination('d', { kind, kafkaTopic, bootstrapServers: saslBootstrapServers })
  const login = 'org.apache.kafka.common.security.scram.ScramLoginModule required'
  return {
    ...made,
    parameter: [
      ...(made['parameter'] as object[]),
      { name: 'securityProtocol', valueString: 'SASL_PLAINTEXT' },
      { name: 'saslMechanism', valueString: 'SCRAM-SHA-256' },
      { name: 'saslJaasConfig', valueString: `${login} username="${user}" password="secret";` },
    ],
  }
}
