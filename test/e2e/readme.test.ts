import assert from 'node:assert/strict'
import { execFile } from 'node:child_process'
import { mkdir, readFile, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { describe, it } from 'node:test'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { FhirClient } from '../helpers/fhir-client.ts'
import { consumeRecords, createTopic, testKafka } from '../helpers/kafka.ts'
import { testDatabase } from '../helpers/postgres.ts'
import { startServerProcess } from '../helpers/server-process.ts'
import type { TestResource } from '../helpers/topic-resources.ts'

const root = fileURLToPath(new URL('../..', import.meta.url))
const run = promisify(execFile)

interface Block {
  readonly language: string
  readonly code: string
}

const readme = await readFile(join(root, 'README.md'), 'utf8')
const blocks: readonly Block[] = [...readme.matchAll(/^```(\w*)\n([\s\S]*?)^```$/gm)].map(
  ([, language = '', code = '']) => ({ language, code }),
)
const codeOf = (language: string): string[] =>
  blocks.filter((block) => block.language === language).map(({ code }) => code)
const json = codeOf('json').map((code) => JSON.parse(code) as TestResource)

describe('README', () => {
  it('has no block that this file does not try', () => {
    const languages = new Set(blocks.map(({ language }) => language))
    assert.deepEqual(languages, new Set(['', 'sh', 'ts', 'json']))
    assert.equal(json.length, 6)
  })

  it('names commands that exist', async () => {
    const { scripts } = JSON.parse(await readFile(join(root, 'package.json'), 'utf8')) as {
      scripts: Record<string, string>
    }
    const shell = codeOf('sh').join('\n') + readme
    const named = [...shell.matchAll(/npm run ([a-z:]+)/g)].map(([, name = '']) => name)
    assert.ok(named.includes('demo'))
    for (const name of [...named, 'test', 'start']) assert.ok(scripts[name], `npm run ${name}`)
  })

  it('shows code that loads the module into a server', async (t) => {
    const { connectionString } = await testDatabase(t)
    // The package's own name leads to what is published.
    await run('npm', ['run', 'build'], { cwd: root })
    const directory = join(root, '.run', `readme-${process.pid}`)
    await mkdir(directory, { recursive: true })
    t.after(() => rm(directory, { recursive: true, force: true }))
    const printed = [
      /^http:\/\/127\.0\.0\.1:\d+\/fhir$/m,
      /^http:\/\/127\.0\.0\.1:\d+\/fhir$/m,
      /^200$/m,
    ]
    assert.equal(codeOf('ts').length, printed.length)
    for (const [index, code] of codeOf('ts').entries()) {
      const file = join(directory, `block-${index}.ts`)
      await writeFile(file, code.replaceAll('3000', String(20_000 + (process.pid % 20_000))))
      const { stdout } = await run(process.execPath, ['--import', 'tsx', file], {
        cwd: root,
        env: { ...process.env, DATABASE_URL: connectionString },
      })
      assert.match(stdout, printed[index] ?? /never/)
    }
  })

  it('shows a topic, a destination and the notification that they lead to', async (t) => {
    const { connectionString } = await testDatabase(t)
    const { bootstrapServers } = await testKafka()
    await createTopic(bootstrapServers, 'encounters')
    const server = await startServerProcess({ DATABASE_URL: connectionString })
    t.after(() => server.stop())
    const fhir = new FhirClient(server.url)
    const find = (resourceType: string): TestResource => {
      const found = json.find((one) => one.resourceType === resourceType)
      assert.ok(found, resourceType)
      return found
    }
    await fhir.ok('POST', '/AidboxSubscriptionTopic', find('AidboxSubscriptionTopic'))
    const destination = JSON.stringify(find('AidboxTopicDestination'))
    await fhir.ok(
      'POST',
      '/AidboxTopicDestination',
      destination.replace('localhost:9092', bootstrapServers),
    )
    const shown = find('Bundle') as unknown as NotificationBundle
    const [, focus] = shown.entry
    await fhir.put({ ...focus.resource, status: 'in-progress' })
    await fhir.put(focus.resource, { 'x-topic-correlation-id': 'order-4711' })
    const [record] = await consumeRecords(bootstrapServers, 'encounters', 1)
    const sent = JSON.parse(record?.value ?? '') as NotificationBundle
    const { extension: _flags, fullUrl, ...entry } = focus
    assert.deepEqual(sent.entry[0], shown.entry[0])
    assert.deepEqual(
      { ...sent.entry[1], resource: { ...sent.entry[1].resource, meta: focus.resource['meta'] } },
      { ...entry, fullUrl: fullUrl.replace('http://127.0.0.1:8080/fhir', server.url) },
    )
    assert.equal(record?.key, focus.resource.id)
  })

  it('shows what $explain is asked and what it answers', async (t) => {
    const { connectionString } = await testDatabase(t)
    const server = await startServerProcess({ DATABASE_URL: connectionString })
    t.after(() => server.stop())
    const fhir = new FhirClient(server.url)
    const [asked, answered] = json.filter(({ resourceType }) => resourceType === 'Parameters')
    assert.ok(asked && answered)
    assert.deepEqual(await fhir.ok('POST', '/AidboxSubscriptionTopic/$explain', asked), answered)
  })

  it('shows a secret reference that a vault configuration of its form resolves', async (t) => {
    const { connectionString } = await testDatabase(t)
    const directory = join(root, '.run', `readme-vault-${process.pid}`)
    await mkdir(directory, { recursive: true })
    t.after(() => rm(directory, { recursive: true, force: true }))
    const [, vault = ''] = /`(\{"secret":.*?\}\})`/.exec(readme) ?? []
    const [secretPath, vaultPath] = [join(directory, 'kafka-jaas'), join(directory, 'vault.json')]
    await writeFile(secretPath, jaas)
    await writeFile(vaultPath, vault.replace('/run/secrets/kafka-jaas', secretPath))
    const server = await startServerProcess({
      DATABASE_URL: connectionString,
      VAULT_CONFIG: vaultPath,
    })
    t.after(() => server.stop())
    const fhir = new FhirClient(server.url)
    const [topic, destination, reference] = json
    assert.ok(topic && destination && reference)
    await fhir.ok('POST', '/AidboxSubscriptionTopic', topic)
    const stored = await fhir.ok('POST', '/AidboxTopicDestination', {
      ...destination,
      parameter: [
        ...(destination['parameter'] as object[]),
        { name: 'securityProtocol', valueString: 'SASL_PLAINTEXT' },
        { name: 'saslMechanism', valueString: 'PLAIN' },
        reference,
      ],
    })
    assert.deepEqual((stored['parameter'] as object[]).at(-1), reference)
  })
})

const jaas =
  'org.apache.kafka.common.security.plain.PlainLoginModule required username="u" password="p";'

interface NotificationBundle {
  readonly entry: readonly [
    object,
    {
      readonly resource: TestResource
      readonly fullUrl: string
      readonly extension?: readonly object[]
    },
  ]
}
