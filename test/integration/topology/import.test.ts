import assert from 'node:assert/strict'
import { it } from 'node:test'
import { runCommand } from '../../../src/cli/run-command.ts'
import type { Acl } from '../../../src/topology/acl.ts'
import { applyTopology } from '../../../src/topology/apply-topology.ts'
import { connectClusterAdmin } from '../../../src/topology/connect-cluster-admin.ts'
import { importedYaml, importTopology } from '../../../src/topology/import-topology.ts'
import { parseTopology } from '../../../src/topology/parse-topology.ts'
import { formatPlanLine } from '../../../src/topology/plan-line.ts'
import { planTopology } from '../../../src/topology/plan-topology.ts'
import { resolveTopology } from '../../../src/topology/resolve-topology.ts'
import { validateTopology } from '../../../src/topology/validate-topology.ts'
import { testKafka, uniqueName } from '../../helpers/kafka.ts'
import { topologySource } from '../../helpers/topology.ts'

it('a cluster that is read into a file is in line with it', async (t) => {
  const { bootstrapServers } = await testKafka()
  const prefix = `${uniqueName('import')}.`
  const [reader, writer] = [uniqueName('reader'), uniqueName('writer')]
  const source =
    topologySource(`principals: { r: { user: 'User:${reader}' }, w: { user: 'User:${writer}' } }
defaults: { partitions: 2 }
topics:
  ${prefix}a: { external: true, config: { retention: 7d, cleanup.policy: 'compact,delete' } }
  ${prefix}b: { external: true }
  ${prefix}c: { external: true, partitions: 3, config: { max.message.bytes: 5000 } }
roles:
  Reader: { principal: r, can: [read, describe], topics: ['${prefix}*'], groups: ['${prefix}*'] }
  Writer: { principal: w, can: [write], topics: ['${prefix}a'], transactionalIds: ['${prefix}*'] }`)
  const admin = await connectClusterAdmin(source, { bootstrapServers })
  t.after(() => admin.close())
  await applyTopology(resolveTopology(source), admin)
  const users = { prefix, name: 'imported', principals: [`User:${reader}`, `User:${writer}`] }

  const text = importedYaml(await importTopology(admin, users))
  const imported = parseTopology(text, 'imported.yaml')
  assert.deepEqual(validateTopology(imported).findings, [])
  const { lines } = await planTopology(resolveTopology(imported), admin)
  assert.deepEqual(lines.map(formatPlanLine), [])
  assert.deepEqual(imported.document.topics[`${prefix}a`], {
    external: true,
    config: { retention: '7d', 'cleanup.policy': 'compact,delete' },
  })

  let printed = ''
  const code = await runCommand(
    [
      ...['topology', 'import', '--prefix', prefix, '--name', 'imported'],
      ...['--bootstrap-servers', bootstrapServers, '--principals', `${reader}, ${writer}`],
    ],
    { env: {}, isTerminal: false, out: (part) => (printed += part), err: () => undefined },
  )
  const { cluster, ...rest } = parseTopology(printed, 'printed.yaml').document
  assert.deepEqual([code, cluster, rest], [0, { bootstrapServers }, imported.document])

  // Half of a capability is no role.
  const odd: Acl = {
    principal: `User:${writer}`,
    host: '*',
    permission: 'ALLOW',
    operation: 'CREATE',
    resourceType: 'CLUSTER',
    patternType: 'LITERAL',
    resourceName: 'kafka-cluster',
  }
  await admin.createAcls([odd])
  const withOdd = await importTopology(admin, users)
  assert.deepEqual(withOdd.otherAcls, [odd])
  assert.deepEqual(withOdd.document, imported.document)
  assert.match(
    importedYaml(withOdd),
    new RegExp(`^# .*\\n# {3}User:${writer} ALLOW CREATE on CLUSTER LITERAL kafka-cluster\\n`),
  )
})
