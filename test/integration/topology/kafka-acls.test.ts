import assert from 'node:assert/strict'
import { execFile } from 'node:child_process'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { it } from 'node:test'
import { promisify } from 'node:util'
import { aclKey } from '../../../src/topology/acl.ts'
import { formatAcls } from '../../../src/topology/acl-formats/format-acls.ts'
import { applyTopology } from '../../../src/topology/apply-topology.ts'
import { connectClusterAdmin } from '../../../src/topology/connect-cluster-admin.ts'
import { planTopology } from '../../../src/topology/plan-topology.ts'
import { resolveTopology } from '../../../src/topology/resolve-topology.ts'
import { installKafkaTools } from '../../helpers/kafka-broker/installation.ts'
import { testKafka, uniqueName } from '../../helpers/kafka.ts'
import { topologySource } from '../../helpers/topology.ts'

/** Every capability, every type of resource, both types of pattern, and a name that a shell must not read. */
function sourceFor(id: string) {
  return topologySource(`principals:
  reader: { user: "User:it's $(a) reader ${id}" }
  writer: { user: 'User:writer-${id}' }
  admin: { user: 'User:admin-${id}' }
topics: { ${id}: { external: true } }
roles:
  Reader: { principal: reader, can: [read], topics: [${id}, '${id}.*'], groups: [${id}, '${id}-*'] }
  Writer: { principal: writer, can: [write], topics: ['${id}.*'], transactionalIds: [${id}] }
  Admin: { principal: admin, can: [create, describe, alter, manageAcls], topics: ['${id}.*'] }
fhir:
  idempotentWrite: true
  destinations:
    - { id: d, kafkaTopic: ${id}, kind: kafka-at-least-once, principal: writer }
    - { id: e, kafkaTopic: ${id}, kind: kafka-best-effort, principal: writer }`)
}

it("acls --format kafka-acls, run with Kafka's own tool, gives the rights that apply gives", async (t) => {
  const { bootstrapServers } = await testKafka()
  const { java, classPath } = await installKafkaTools()
  const directory = await mkdtemp(join(tmpdir(), 'kafka-acls-'))
  t.after(() => rm(directory, { recursive: true, force: true }))
  const adminConfig = join(directory, 'admin.properties')
  await writeFile(adminConfig, '')
  const [byTool, byApply] = [sourceFor(uniqueName('tool')), sourceFor(uniqueName('apply'))]
  const topology = resolveTopology(byTool)
  const admin = await connectClusterAdmin(byTool, { bootstrapServers })
  t.after(() => admin.close())

  const tool = `kafka-acls.sh() { "$JAVA" -XX:TieredStopAtLevel=1 -cp "$CLASS_PATH" org.apache.kafka.tools.AclCommand "$@"; }`
  const script = formatAcls(topology.acls, 'kafka-acls', byTool.document)
  await promisify(execFile)('bash', ['-c', `${tool}\n${script}`], {
    env: {
      ...process.env,
      KAFKA_BROKERS: bootstrapServers,
      ADMIN_CONFIG: adminConfig,
      JAVA: java,
      CLASS_PATH: classPath,
    },
  })
  const { lines } = await planTopology(topology, admin)
  assert.deepEqual(
    lines.map(({ action }) => action),
    ['create-topic'],
  )

  const applied = resolveTopology(byApply)
  await applyTopology(applied, admin)
  const rightsOf = async ({ principals, topics }: typeof topology): Promise<string[]> => {
    const acls = await Promise.all(Object.values(principals).map((user) => admin.acls(user)))
    return acls.flat().map((acl) => aclKey(acl).replaceAll(topics[0]?.name ?? '', 'id'))
  }
  const rights = await rightsOf(topology)
  assert.deepEqual(rights, await rightsOf(applied))
  assert.equal(rights.length, topology.acls.length)
})
