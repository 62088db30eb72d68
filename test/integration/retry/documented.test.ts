import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { it } from 'node:test'
import { connectClusterAdmin } from '../../../src/topology/connect-cluster-admin.ts'
import { parseTopology } from '../../../src/topology/parse-topology.ts'
import { resolveTopology } from '../../../src/topology/resolve-topology.ts'
import { createTopic, testKafka } from '../../helpers/kafka.ts'
import { repositoryFile, topologySource } from '../../helpers/topology.ts'
import { write } from './setting.ts'

it('the consumer in docs/topology.md packs orders with the rights of the file, and stops when it is told', async (t) => {
  const { users, bootstrapServers, saslBootstrapServers } = await testKafka()
  const page = await readFile(repositoryFile('docs/topology.md'), 'utf8')
  const yaml = /^```yaml\n([\s\S]*?)^```$/m.exec(page)?.[1] ?? ''
  const code = [...page.matchAll(/^```ts\n([\s\S]*?)^```$/gm)]
    .map(([, block = '']) => block)
    .find((block) => block.includes('retryingConsumer'))
  assert.ok(code !== undefined)
  const directory = await mkdtemp(join(tmpdir(), 'retry-documented-'))
  t.after(() => rm(directory, { recursive: true, force: true }))
  // As it stands there, but for the login of the test's broker.
  const file = yaml
    .replace('SASL_SSL', 'SASL_PLAINTEXT')
    .replace(
      "{ user: 'User:shop', secretRef: shop-kafka }",
      "{ user: 'User:alice', secretRef: 'env:PASSWORD' }",
    )
  await writeFile(join(directory, 'topology.yaml'), file)
  const { acls } = resolveTopology(parseTopology(file, 'topology.yaml'), 'prod')
  const superUser = await connectClusterAdmin(topologySource('topics: {}'), { bootstrapServers })
  t.after(() => superUser.close())
  await superUser.createAcls(acls.filter(({ principal }) => principal === 'User:alice'))
  await writeFile(
    join(directory, 'main.mts'),
    code.replaceAll(/'fhir-topic-destination-kafka\/(\w+)'/g, (_, name: string) =>
      JSON.stringify(repositoryFile(`src/${name}/index.ts`)),
    ),
  )
  for (const topic of ['shop.orders', 'shop.orders.retry', 'shop.orders.dlq']) {
    await createTopic(bootstrapServers, topic)
  }
  await write(bootstrapServers, 'shop.orders', [{ value: '{"id":"o-1"}' }])
  const tsx = import.meta.resolve('tsx')
  const child = spawn(process.execPath, ['--import', tsx, 'main.mts'], {
    cwd: directory,
    stdio: ['ignore', 'pipe', 'inherit'],
    env: { ...process.env, KAFKA_BROKERS: saslBootstrapServers, PASSWORD: users['alice'] ?? '' },
  })
  t.after(() => child.kill('SIGKILL'))
  const exit = once(child, 'exit')
  const [line] = (await once(createInterface(child.stdout), 'line')) as [string]
  assert.equal(line, 'attempt 1 to pack o-1')
  child.kill('SIGTERM')
  assert.deepEqual(await exit, [0, null])
})
