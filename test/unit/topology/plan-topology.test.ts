import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import type { Acl } from '../../../src/topology/acl.ts'
import type { ClusterTopic } from '../../../src/topology/cluster-admin.ts'
import { applyTopology } from '../../../src/topology/apply-topology.ts'
import { formatPlanLine } from '../../../src/topology/plan-line.ts'
import type { PlanOptions } from '../../../src/topology/plan-options.ts'
import { planTopology } from '../../../src/topology/plan-topology.ts'
import { stillCluster, topologyOf } from '../../helpers/topology.ts'

const day = 86_400_000

function liveTopic(changes: Partial<ClusterTopic> = {}): ClusterTopic {
  const config = changes.config ?? { 'retention.ms': String(7 * day) }
  return {
    name: 'orders',
    partitions: 3,
    replicationFactor: 3,
    effectiveConfig: { 'cleanup.policy': 'delete', 'retention.bytes': '-1', ...config },
    ...changes,
    config,
  }
}

/** The lines of a plan for one topic with three partitions, three replicas and a retention of seven days. */
async function planned(
  topics: readonly ClusterTopic[],
  options: PlanOptions = {},
  config = 'retention: 7d',
): Promise<string[]> {
  const topology = topologyOf(
    `naming: { allow: [ord, other.], ignore: [other.team.] }
topics: { orders: { external: true, partitions: 3, replicationFactor: 3, config: { ${config} } } }`,
  )
  const { lines } = await planTopology(topology, stillCluster({ topics }), options)
  return lines.map(formatPlanLine)
}

describe('planTopology', () => {
  it('has nothing to do where all is as the file says, with settings of the broker for what is not in it', async () => {
    assert.deepEqual(await planned([liveTopic()]), [])
    assert.deepEqual(await planned([liveTopic()], {}, 'retention: 7d, cleanup.policy: delete'), [])
  })

  it('takes a list of policies in any order', async () => {
    const live = liveTopic({ config: { 'cleanup.policy': 'compact,delete' } })
    assert.deepEqual(await planned([live], {}, 'cleanup.policy: "delete, compact"'), [])
  })

  it('takes values in the form of the file and in that of Kafka for the same', async () => {
    const config = {
      'min.cleanable.dirty.ratio': '0.5',
      'segment.bytes': '104857600',
      'unclean.leader.election.enable': 'false',
      'compression.type': 'zstd',
    }
    const same =
      'min.cleanable.dirty.ratio: "0.50", segment.bytes: "0104857600", unclean.leader.election.enable: "False", compression.type: "zstd "'
    assert.deepEqual(await planned([liveTopic({ config })], {}, same), [])
    assert.deepEqual(
      await planned([liveTopic({ config: { 'segment.bytes': '100' } })], {}, 'segment.bytes: 10'),
      ['~ topic orders: segment.bytes 100 -> 10'],
    )
  })

  it('creates what is missing', async () => {
    assert.deepEqual(await planned([]), [
      '+ topic orders: 3 partitions, 3 replicas, retention.ms=604800000 (7d)',
    ])
  })

  const cases: readonly {
    readonly name: string
    readonly live: ClusterTopic
    readonly line: string
    readonly blocked?: string
    readonly allowedBy?: PlanOptions
  }[] = [
    {
      name: 'fewer partitions on the cluster',
      live: liveTopic({ partitions: 2 }),
      line: '~ topic orders: partitions 2 -> 3',
      blocked:
        'records of one key would go to another partition than before; --allow-partition-increase does it',
      allowedBy: { allowPartitionIncrease: true },
    },
    {
      name: 'more partitions on the cluster',
      live: liveTopic({ partitions: 4 }),
      line: '- topic orders: partitions 4 -> 3',
      blocked: 'Kafka cannot remove partitions; raise the number in the file',
    },
    {
      name: 'other replicas',
      live: liveTopic({ replicationFactor: 1 }),
      line: '~ topic orders: replicas 1 -> 3',
      blocked: 'replicas are moved by kafka-reassign-partitions, not from here',
    },
    {
      name: 'a shorter retention on the cluster',
      live: liveTopic({ config: { 'retention.ms': String(day) } }),
      line: '~ topic orders: retention.ms 86400000 (1d) -> 604800000 (7d)',
    },
    {
      name: 'a longer retention on the cluster',
      live: liveTopic({ config: { 'retention.ms': '-1' } }),
      line: '~ topic orders: retention.ms -1 (unlimited) -> 604800000 (7d)',
      blocked: 'Kafka deletes at once what is older or too much; --allow-shorter-retention does it',
      allowedBy: { allowShorterRetention: true },
    },
    {
      name: 'a setting that the file does not have',
      live: liveTopic({ config: { 'retention.ms': String(7 * day), 'max.message.bytes': '1' } }),
      line: "~ topic orders: max.message.bytes 1 -> (the broker's default)",
    },
    {
      name: 'a retention that the file does not have',
      live: liveTopic({ config: { 'retention.ms': String(7 * day), 'retention.bytes': '1' } }),
      line: "~ topic orders: retention.bytes 1 -> (the broker's default)",
      blocked: 'Kafka deletes at once what is older or too much; --allow-shorter-retention does it',
      allowedBy: { allowShorterRetention: true },
    },
  ]
  for (const { name, live, line, blocked, allowedBy } of cases) {
    it(name, async () => {
      const suffix = blocked === undefined ? '' : ` [blocked: ${blocked}]`
      assert.deepEqual(await planned([live]), [line + suffix])
      if (allowedBy) assert.deepEqual(await planned([live], allowedBy), [line])
      else
        assert.deepEqual(
          await planned([live], {
            allowPartitionIncrease: true,
            allowShorterRetention: true,
            pruneAcls: true,
          }),
          [line + suffix],
        )
    })
  }

  it('reports topics of its prefixes that the file does not have, but not those of others', async () => {
    const others = ['ordinary', 'foreign', 'other.team.x', 'other.x'].map((name) =>
      liveTopic({ name }),
    )
    const why =
      ' [blocked: the file does not have it, and topics are never deleted from here; add it to topics, or to naming.ignore]'
    assert.deepEqual(await planned([liveTopic(), ...others]), [
      `- topic ordinary${why}`,
      `- topic other.x${why}`,
    ])
  })

  it('puts what is blocked last', async () => {
    const topology = topologyOf('topics: { a: { external: true }, b: { external: true } }')
    const live = { ...liveTopic({ name: 'a', partitions: 4, config: {} }), replicationFactor: 1 }
    const { lines } = await planTopology(topology, stillCluster({ topics: [live] }))
    assert.deepEqual(
      lines.map(({ action }) => action),
      ['create-topic', 'remove-partitions'],
    )
  })

  describe('rights', () => {
    const right = (operation: Acl['operation'], changes: Partial<Acl> = {}): Acl => ({
      principal: 'User:p',
      host: '*',
      permission: 'ALLOW',
      operation,
      resourceType: 'TOPIC',
      patternType: 'PREFIXED',
      resourceName: 'ord',
      ...changes,
    })
    const topology = topologyOf(`principals: { p: { user: 'User:p' } }
topics: {}
roles: { w: { principal: p, can: [write], topics: [ord*] } }`)
    const whole = [right('WRITE'), right('DESCRIBE')]
    const lines = async (acls: readonly Acl[], options: PlanOptions = {}): Promise<string[]> =>
      (await planTopology(topology, stillCluster({ acls }), options)).lines.map(formatPlanLine)

    it('that are missing are added', async () => {
      assert.deepEqual(await lines(whole), [])
      assert.deepEqual(await lines([right('WRITE')]), [
        '+ acl User:p ALLOW DESCRIBE on TOPIC PREFIXED ord',
      ])
    })

    it('beyond the file are too much: broader, of another host, or a denial', async () => {
      const extra = [
        right('WRITE', { resourceName: 'o' }),
        right('WRITE', { host: '10.0.0.1' }),
        right('WRITE', { permission: 'DENY' }),
      ]
      const expected = [
        '- acl User:p ALLOW WRITE on TOPIC PREFIXED o',
        '- acl User:p ALLOW WRITE on TOPIC PREFIXED ord from 10.0.0.1',
        '- acl User:p DENY WRITE on TOPIC PREFIXED ord',
      ]
      assert.deepEqual(
        (await lines([...whole, ...extra], { pruneAcls: true })).toSorted(),
        expected,
      )
      assert.deepEqual(
        (await lines([...whole, ...extra])).toSorted(),
        expected.map(
          (line) => `${line} [blocked: no role of the file has it; --prune-acls removes it]`,
        ),
      )
    })

    it('of others are no business of the file, and none are with skipAcls', async () => {
      assert.deepEqual(await lines([...whole, right('READ', { principal: 'User:q' })]), [])
      assert.deepEqual(await lines([], { skipAcls: true }), [])
    })

    it('of everybody on what the file is about are too much, and stay', async () => {
      const everybodys = (resource: Partial<Acl>): Acl =>
        right('READ', { principal: 'User:*', patternType: 'LITERAL', ...resource })
      const live = [
        everybodys({ resourceName: '*' }),
        everybodys({ resourceName: 'order' }),
        everybodys({ resourceName: 'o', patternType: 'PREFIXED' }),
        everybodys({ resourceType: 'CLUSTER', resourceName: 'kafka-cluster' }),
        everybodys({ resourceName: 'other' }),
        everybodys({ resourceName: 'ord', resourceType: 'GROUP' }),
      ]
      const found = await lines([...whole, ...live], { pruneAcls: true })
      assert.deepEqual(
        found.map((line) => line.replace(/ \[blocked: it is for everybody, .*\]$/, ' [blocked]')),
        [
          '- acl User:* ALLOW READ on TOPIC LITERAL * [blocked]',
          '- acl User:* ALLOW READ on TOPIC LITERAL order [blocked]',
          '- acl User:* ALLOW READ on TOPIC PREFIXED o [blocked]',
          '- acl User:* ALLOW READ on CLUSTER LITERAL kafka-cluster [blocked]',
        ],
      )
    })
  })

  it('finds what the cluster can never do, and apply does not begin', async () => {
    const topology = topologyOf(`principals: { p: { user: 'User:p' } }
topics: { orders: { external: true, replicationFactor: 3 } }
fhir: { destinations: [{ id: d, kafkaTopic: orders, kind: kafka-at-least-once, principal: p }] }`)
    const cluster = stillCluster({ facts: { brokers: 1, transactionLogReplicas: 3 } })
    const { findings } = await planTopology(topology, cluster)
    assert.deepEqual(
      findings.map(({ check, message }) => `${check} ${message}`),
      [
        'L6 "orders" asks for 3 replicas of 1 brokers; lower replicationFactor, or set it for the environment.',
        'L6 transaction.state.log.replication.factor is 3 and the cluster has 1 brokers: no transaction can ever begin. Lower it on the brokers.',
      ],
    )
    await assert.rejects(
      applyTopology(topology, cluster),
      /^TopologyError: The cluster cannot be as the file says\.\nL6: /,
    )
  })
})
