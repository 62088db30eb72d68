import assert from 'node:assert/strict'
import { execFile } from 'node:child_process'
import { describe, it } from 'node:test'
import { promisify } from 'node:util'
import { Ajv } from 'ajv'
import { parseAllDocuments } from 'yaml'
import { formatAcls, type AclFormat } from '../../../src/topology/acl-formats/format-acls.ts'
import { resolveTopology } from '../../../src/topology/resolve-topology.ts'
import { topologySource } from '../../helpers/topology.ts'

const source = topologySource(`cluster: { name: shop-cluster, saslMechanism: SCRAM-SHA-512 }
principals: { reader: { user: 'User:it''s $(a) reader' }, admin: { user: 'User:admin' } }
topics: {}
roles:
  Reader: { principal: reader, can: [read], topics: [shop.*], groups: [shop] }
  Admin: { principal: admin, can: [manageAcls] }`)
const { acls } = resolveTopology(source)
const format = (name: AclFormat): string => formatAcls(acls, name, source.document)

const anyText = { type: 'string' }
/** What Strimzi's reference of KafkaUser (kafka.strimzi.io/v1) has of what is written here, with Kubernetes' rule for names. Nothing else is taken:
 *  Kubernetes drops what it does not know without a word. */
const kafkaUserSchema = {
  ...object({
    apiVersion: { const: 'kafka.strimzi.io/v1' },
    kind: { const: 'KafkaUser' },
    metadata: object({
      name: {
        type: 'string',
        maxLength: 253,
        pattern: '^[a-z0-9]([-a-z0-9]*[a-z0-9])?(\\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*$',
      },
      labels: object({ 'strimzi.io/cluster': anyText }),
    }),
    spec: object(
      {
        userName: anyText,
        authentication: object({ type: { enum: ['tls', 'tls-external', 'scram-sha-512'] } }),
        authorization: object({
          type: { const: 'simple' },
          acls: {
            type: 'array',
            items: object({
              type: { enum: ['allow', 'deny'] },
              host: anyText,
              resource: object(
                {
                  type: { enum: ['topic', 'group', 'cluster', 'transactionalId'] },
                  name: anyText,
                  patternType: { enum: ['literal', 'prefix'] },
                },
                ['type'],
              ),
              operations: {
                type: 'array',
                items: {
                  enum: [
                    ...['Read', 'Write', 'Create', 'Delete', 'Alter', 'Describe', 'ClusterAction'],
                    ...['AlterConfigs', 'DescribeConfigs', 'IdempotentWrite', 'All'],
                  ],
                },
              },
            }),
          },
        }),
      },
      ['authorization'],
    ),
  }),
}

function object(properties: object, required: readonly string[] = Object.keys(properties)): object {
  return { type: 'object', additionalProperties: false, properties, required }
}

function ofGroups(groups: readonly string[]) {
  const of = topologySource(`principals: { r: { user: 'User:r' } }
topics: {}
roles: { R: { principal: r, can: [read], topics: [x], groups: [${groups.join()}] } }`)
  return { acls: resolveTopology(of).acls, document: of.document }
}

describe('formatAcls', () => {
  it('kafka-acls: a shell script, one call for each resource', async () => {
    // A shell shows what kafka-acls.sh would be given.
    const script = `kafka-acls.sh() { printf '<%s>' "$@"; echo; }\n${format('kafka-acls')}`
    const { stdout } = await promisify(execFile)(
      'bash',
      ['-c', script.replace('#!/bin/sh\n', '')],
      {
        env: { ...process.env, KAFKA_BROKERS: 'kafka:9092', ADMIN_CONFIG: 'admin.properties' },
      },
    )
    const start = '<--bootstrap-server><kafka:9092><--command-config><admin.properties><--add>'
    assert.deepEqual(stdout.trim().split('\n'), [
      `${start}<--allow-principal><User:admin><--operation><Alter><--operation><Describe><--cluster>`,
      `${start}<--allow-principal><User:it's $(a) reader><--operation><Read><--group><shop><--resource-pattern-type><literal>`,
      `${start}<--allow-principal><User:it's $(a) reader><--operation><Describe><--operation><Read><--topic><shop.><--resource-pattern-type><prefixed>`,
    ])
  })

  it('terraform-confluent: one resource for each right, each with a label of its own', () => {
    const text = format('terraform-confluent')
    const labels = [...text.matchAll(/^resource "confluent_kafka_acl" "([A-Za-z_][\w-]*)" \{$/gm)]
    assert.equal(new Set(labels.map(([, label]) => label)).size, acls.length)
    assert.match(
      text,
      /\{\n {2}resource_type = "TOPIC"\n {2}resource_name = "shop\."\n {2}pattern_type {2}= "PREFIXED"\n {2}principal {5}= "User:it's \$\(a\) reader"\n {2}host {10}= "\*"\n {2}operation {5}= "READ"\n {2}permission {4}= "ALLOW"\n\}/,
    )
  })

  it('terraform-confluent: labels differ where names differ in "." and "_" alone', () => {
    const { acls: similar, document } = ofGroups(['a.b', 'a_b', 'a-b'])
    const labels = formatAcls(similar, 'terraform-confluent', document).match(/^resource .*$/gm)
    assert.equal(new Set(labels).size, similar.length)
  })

  it('strimzi: a KafkaUser for each principal', () => {
    const fits = new Ajv({ strict: true, allErrors: true }).compile(kafkaUserSchema)
    const [admin, reader, ...others] = parseAllDocuments(format('strimzi')).map(
      (document) => document.toJS() as unknown,
    )
    assert.deepEqual(others, [])
    for (const user of [admin, reader]) assert.ok(fits(user), JSON.stringify(fits.errors))
    assert.deepEqual(reader, {
      apiVersion: 'kafka.strimzi.io/v1',
      kind: 'KafkaUser',
      metadata: {
        name: 'it-s-a-reader-43895e72',
        labels: { 'strimzi.io/cluster': 'shop-cluster' },
      },
      spec: {
        userName: "it's $(a) reader",
        authentication: { type: 'scram-sha-512' },
        authorization: {
          type: 'simple',
          acls: [
            {
              type: 'allow',
              host: '*',
              resource: { type: 'group', name: 'shop', patternType: 'literal' },
              operations: ['Read'],
            },
            {
              type: 'allow',
              host: '*',
              resource: { type: 'topic', name: 'shop.', patternType: 'prefix' },
              operations: ['Describe', 'Read'],
            },
          ],
        },
      },
    })
    assert.deepEqual(
      (admin as { spec: { authorization: { acls: unknown } } }).spec.authorization.acls,
      [
        {
          type: 'allow',
          host: '*',
          resource: { type: 'cluster' },
          operations: ['Alter', 'Describe'],
        },
      ],
    )
  })

  it('json: the rights themselves', () => {
    assert.deepEqual(JSON.parse(format('json')), acls)
  })
})
