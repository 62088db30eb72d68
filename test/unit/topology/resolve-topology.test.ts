import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { resolveOptions } from '../../../src/options.ts'
import { aclKey } from '../../../src/topology/acl.ts'
import { expandBraces } from '../../../src/topology/brace-expansion.ts'
import { durationMs, formatRetention, retentionMs } from '../../../src/topology/duration.ts'
import { TopologyError } from '../../../src/topology/finding.ts'
import { parseTopology } from '../../../src/topology/parse-topology.ts'
import {
  defaultTransactionalIdPrefix,
  resolveTopology,
} from '../../../src/topology/resolve-topology.ts'
import type { ResolvedTopic } from '../../../src/topology/resolved-topology.ts'
import { topologyOf } from '../../helpers/topology.ts'

describe('expandBraces', () => {
  const cases: (readonly [string, readonly string[]])[] = [
    ['a', ['a']],
    ['a.{b,c}.d', ['a.b.d', 'a.c.d']],
    ['a.{,b.,c.}d', ['a.d', 'a.b.d', 'a.c.d']],
    ['{a,b}{1,2}', ['a1', 'a2', 'b1', 'b2']],
    ['a{b{1,2},c}', ['ab1', 'ab2', 'ac']],
  ]
  for (const [pattern, names] of cases) {
    it(pattern, () => {
      assert.deepEqual(expandBraces(pattern), names)
    })
  }
  for (const pattern of ['a{b', 'a}b', '{a,{b}']) {
    it(`refuses ${pattern}`, () => {
      assert.throws(() => expandBraces(pattern), SyntaxError)
    })
  }
})

describe('durations', () => {
  it('are numbers with a unit', () => {
    assert.deepEqual(
      ['500ms', '2s', '3m', '1h', '7d', '2w', 'unlimited', '7 days', '1.5h', ''].map(durationMs),
      [
        500,
        2000,
        180_000,
        3_600_000,
        604_800_000,
        1_209_600_000,
        ...Array.from({ length: 4 }, () => undefined),
      ],
    )
    assert.equal(retentionMs('unlimited'), -1)
  })

  it('are written back as short as can be', () => {
    assert.deepEqual([-1, 0, 1500, 60_000, 5_400_000, 604_800_000].map(formatRetention), [
      'unlimited',
      '0ms',
      '1500ms',
      '1m',
      '90m',
      '7d',
    ])
  })
})

/** Topics as `name kind partitions/replicas setting=value …`. */
function settingsOf(topics: readonly ResolvedTopic[]): string[] {
  return topics.map(({ name, kind, partitions, replicationFactor, config }) =>
    [
      `${name} ${kind} ${partitions}/${replicationFactor}`,
      ...Object.entries(config).map(([setting, value]) => `${setting}=${value}`),
    ].join(' '),
  )
}

describe('resolveTopology', () => {
  it('takes each setting from the nearest that says something', () => {
    const lines = `defaults: { partitions: { maxConsumers: 6 }, replicationFactor: 3, config: { retention: '\${RETENTION}', max.message.bytes: 1000 } }
environments:
  local: { partitions: 1, replicationFactor: 1, vars: { RETENTION: 1d }, config: { max.message.bytes: 2000 } }
  prod: { vars: { RETENTION: 365d } }
topics:
  plain: { external: true }
  own: { external: true, partitions: 2, config: { retention: 1h, max.message.bytes: 3000, unclean.leader.election.enable: false } }`
    assert.deepEqual(settingsOf(topologyOf(lines, 'local').topics), [
      'own topic 2/1 max.message.bytes=3000 retention.ms=3600000 unclean.leader.election.enable=false',
      'plain topic 1/1 max.message.bytes=2000 retention.ms=86400000',
    ])
    assert.deepEqual(settingsOf(topologyOf(lines, 'prod').topics), [
      'own topic 2/3 max.message.bytes=3000 retention.ms=3600000 unclean.leader.election.enable=false',
      'plain topic 6/3 max.message.bytes=1000 retention.ms=31536000000',
    ])
  })

  it('takes variables from the file first, then from the process, in names as well', () => {
    const lines = `environments: { local: { vars: { A: file } } }
topics: { '\${A}.\${B}.{x,y}': { external: true, description: 'of \${B}' } }`
    const { topics } = topologyOf(lines, 'local', { A: 'process', B: 'process' })
    assert.deepEqual(
      topics.map(({ name, description }) => [name, description]),
      [
        ['file.process.x', 'of process'],
        ['file.process.y', 'of process'],
      ],
    )
  })

  it('leaves the variables of the cluster to those who connect', () => {
    assert.deepEqual(
      topologyOf("cluster: { bootstrapServers: '${NOWHERE}' }\ntopics: {}").topics,
      [],
    )
  })

  it('makes the retry topic and the dead-letter topic of a policy', () => {
    const { topics, groups } = topologyOf(`naming: { retrySuffix: .again, deadLetterSuffix: .dead }
services: { shop: { groupPrefix: shop- } }
defaults: { partitions: 4, config: { cleanup.policy: compact, retention: 1d } }
retryPolicies: { calm: { attempts: 1, delays: [1s], then: deadLetter, deadLetterRetention: 30d } }
topics:
  orders: { by: [shop/Checkout], to: [shop/Packing], retry: { policy: calm, to: [shop/PackingAgain] } }`)
    assert.deepEqual(settingsOf(topics), [
      'orders topic 4/1 cleanup.policy=compact retention.ms=86400000',
      'orders.again retry 4/1 cleanup.policy=delete retention.ms=86400000',
      'orders.dead deadLetter 4/1 cleanup.policy=delete retention.ms=2592000000',
    ])
    const [, again, dead] = topics
    assert.deepEqual([again?.consumers, again?.source], [['shop/PackingAgain'], 'orders'])
    assert.deepEqual(dead?.producers, ['shop/Packing', 'shop/PackingAgain'])
    assert.deepEqual(
      groups.map(({ name, topics: consumed }) => [name, ...consumed]),
      [
        ['shop-packing', 'orders'],
        ['shop-packingagain', 'orders.again'],
      ],
    )
  })

  it('needs an environment where the file has some', () => {
    assert.throws(
      () => topologyOf('environments: { local: {}, prod: {} }\ntopics: {}'),
      (error) =>
        error instanceof TopologyError &&
        error.message.endsWith('An environment is needed: it is one of local, prod.'),
    )
  })

  it('reads JSON as it reads YAML, tabs and all', () => {
    const text = JSON.stringify(
      {
        apiVersion: 'fhir-kafka/v1',
        kind: 'KafkaTopology',
        metadata: { name: 'json' },
        topics: { orders: { external: true, config: { retention: '1d' } } },
      },
      undefined,
      '\t',
    )
    const { topics } = resolveTopology(parseTopology(text, 'topology.json'))
    assert.deepEqual(settingsOf(topics), ['orders topic 1/1 retention.ms=86400000'])
  })
})

describe('rights', () => {
  const rightsOf = (lines: string): string[] => topologyOf(lines).acls.map(aclKey)

  it('are those of the capabilities of a role, on prefixes', () => {
    const role = (can: string, rest = ''): string[] =>
      rightsOf(`principals: { p: { user: 'User:p' } }
topics: {}
roles: { r: { principal: p, can: [${can}], topics: [shop.*, one]${rest} } }`)
    const onTopics = (...operations: string[]): string[] =>
      ['LITERAL one', 'PREFIXED shop.'].flatMap((pattern) =>
        operations.toSorted().map((operation) => `User:p TOPIC ${pattern} ALLOW ${operation} *`),
      )
    assert.deepEqual(role('read', ', groups: [shop-*]'), [
      'User:p GROUP PREFIXED shop- ALLOW READ *',
      ...onTopics('READ', 'DESCRIBE'),
    ])
    assert.deepEqual(role('write'), onTopics('WRITE', 'DESCRIBE'))
    assert.deepEqual(role('write', ', transactionalIds: [tx-*]'), [
      ...onTopics('WRITE', 'DESCRIBE'),
      'User:p TRANSACTIONAL_ID PREFIXED tx- ALLOW DESCRIBE *',
      'User:p TRANSACTIONAL_ID PREFIXED tx- ALLOW WRITE *',
    ])
    assert.deepEqual(role('create'), onTopics('CREATE'))
    assert.deepEqual(
      role('create, describe, alter'),
      onTopics('CREATE', 'DESCRIBE', 'DESCRIBE_CONFIGS', 'ALTER', 'ALTER_CONFIGS'),
    )
    assert.deepEqual(role('manageAcls'), [
      'User:p CLUSTER LITERAL kafka-cluster ALLOW ALTER *',
      'User:p CLUSTER LITERAL kafka-cluster ALLOW DESCRIBE *',
    ])
  })

  const destination = (kind: string, more = '', fhir = ''): string[] =>
    rightsOf(`principals: { p: { user: 'User:p' } }
topics: { orders: { external: true }, checkpoints: { external: true } }
fhir: { ${fhir} destinations: [{ id: d, kafkaTopic: orders, kind: ${kind}, principal: p ${more} }] }`)

  const written = [
    'User:p TOPIC LITERAL orders ALLOW DESCRIBE *',
    'User:p TOPIC LITERAL orders ALLOW WRITE *',
  ]
  const transactional = (prefix: string): string[] => [
    `User:p TRANSACTIONAL_ID PREFIXED ${prefix}- ALLOW DESCRIBE *`,
    `User:p TRANSACTIONAL_ID PREFIXED ${prefix}- ALLOW WRITE *`,
  ]

  it('of a best-effort destination are Write and Describe on its topic', () => {
    assert.deepEqual(destination('kafka-best-effort'), written)
  })

  it('of whoever sends without transactions are also IdempotentWrite on the cluster, where the brokers want it', () => {
    const idempotentWrite = 'User:p CLUSTER LITERAL kafka-cluster ALLOW IDEMPOTENT_WRITE *'
    for (const [kind, more] of [
      ['kafka-best-effort', ''],
      ['kafka-at-least-once', ', transactional: false'],
    ] as const) {
      assert.deepEqual(destination(kind, more), written)
      assert.deepEqual(destination(kind, more, 'idempotentWrite: true,'), [
        idempotentWrite,
        ...written,
      ])
    }
    assert.ok(
      !destination('kafka-at-least-once', '', 'idempotentWrite: true,').includes(idempotentWrite),
    )
  })

  it('of an at-least-once destination are also those of its transactions and its checkpoint', () => {
    assert.deepEqual(destination('kafka-at-least-once'), [
      'User:p GROUP PREFIXED fhir-topic-destination- ALLOW READ *',
      written[0],
      'User:p TOPIC LITERAL orders ALLOW READ *',
      written[1],
      ...transactional('fhir-topic-destination'),
    ])
  })

  it('are for the prefix that the module has by default', () => {
    const options = resolveOptions({ database: 'postgres://x', baseUrl: 'http://x' })
    assert.equal(options.transactionalIdPrefix, defaultTransactionalIdPrefix)
  })

  it('need no Read on the topic of a destination without checkpoint, or with a checkpoint topic', () => {
    assert.deepEqual(destination('kafka-at-least-once', ', checkpoint: false'), [
      ...written,
      ...transactional('fhir-topic-destination'),
    ])
    assert.deepEqual(
      destination(
        'kafka-at-least-once',
        '',
        'transactionalIdPrefix: tx, checkpointTopic: checkpoints,',
      ),
      [
        'User:p GROUP PREFIXED tx- ALLOW READ *',
        'User:p TOPIC LITERAL checkpoints ALLOW READ *',
        ...written,
        ...transactional('tx'),
      ],
    )
  })

  it('of a destination go to the one who may write its topic, without what his role has', () => {
    const lines = (roles: string): string =>
      `principals: { p: { user: 'User:p' }, q: { user: 'User:q' } }
topics: { orders: { external: true } }
roles: { ${roles} }
fhir: { destinations: [{ id: d, kafkaTopic: orders, kind: kafka-best-effort }] }`
    const writer = 'w: { principal: p, can: [write], topics: [ord*] }'
    assert.deepEqual(rightsOf(lines(writer)), [
      'User:p TOPIC PREFIXED ord ALLOW DESCRIBE *',
      'User:p TOPIC PREFIXED ord ALLOW WRITE *',
    ])
    assert.throws(
      () => rightsOf(lines(`${writer}, v: { principal: q, can: [write], topics: [orders] }`)),
      /more than one principal may write to "orders"; name its principal/,
    )
  })
})
