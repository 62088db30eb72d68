import assert from 'node:assert/strict'
import { readFile } from 'node:fs/promises'
import { describe, it } from 'node:test'
import { resolveOptions, type ModuleOptions } from '../../src/options.ts'

const required = { database: 'postgres://localhost/fhir', baseUrl: 'https://fhir.example.org/fhir' }

describe('module options', () => {
  it('have the defaults that their documentation says', async () => {
    const source = await readFile(new URL('../../src/options.ts', import.meta.url), 'utf8')
    const documented = [...source.matchAll(/@default (\S+)[\s\S]*?readonly (\w+)\?/g)].map(
      ([, value = '', name = '']) => [name, value.replaceAll("'", '')] as const,
    )
    assert.ok(documented.length > 8)
    const resolved = resolveOptions(required) as unknown as Record<string, unknown>
    for (const [name, value] of documented) {
      if (name !== 'logger') assert.equal(String(resolved[name]), value, name)
    }
  })

  it('take the default where undefined is given', () => {
    const options = { ...required, maxPageEvents: undefined } as unknown as ModuleOptions
    assert.equal(resolveOptions(options).maxPageEvents, 1000)
  })

  it('send pages sooner where a page is no transaction', () => {
    assert.equal(resolveOptions({ ...required, transactional: false }).pageLingerMs, 5)
    const given = { ...required, transactional: false, pageLingerMs: 30 }
    assert.equal(resolveOptions(given).pageLingerMs, 30)
  })

  it('drop the slash at the end of the base URL', () => {
    const { baseUrl } = resolveOptions({ ...required, baseUrl: 'https://fhir.example.org/fhir/' })
    assert.equal(baseUrl, 'https://fhir.example.org/fhir')
  })

  const registry = { registerMetric: () => undefined, getSingleMetric: () => undefined }
  for (const [options, message] of [
    [
      { logLevels: { '*': 'loud' } },
      'logLevels of * must be trace or debug or info or warn or error or silent, not loud.',
    ],
    [
      { metrics: { registry, maxDestinations: 100_001 } },
      'metrics.maxDestinations must be a whole number from 0 to 100000, not 100001.',
    ],
    [
      { metrics: { registry, labels: { kind: 'x' } } },
      'metrics.labels must not have kind, which the module sets.',
    ],
    [
      { metrics: { registry: {} } },
      'metrics.registry must be a Registry of prom-client, or of its shape.',
    ],
  ] as const) {
    it(`say: ${message}`, () => {
      // Who writes no TypeScript may give anything.
      const given = { ...required, ...options } as unknown as ModuleOptions
      assert.throws(() => resolveOptions(given), { code: 'KTD_INVALID_OPTION', message })
    })
  }

  for (const [name, value] of [
    ['baseUrl', 'fhir'],
    ['registryLeaseMs', 49],
    ['secretCheckIntervalMs', 49],
    ['allowedBootstrapServers', []],
    ['allowedBootstrapServers', ['kafka']],
    ['pollIntervalMs', 2.5],
    ['pageLingerMs', -1],
    ['maxUndecidedPerTopic', -1],
    ['maxPageEvents', 0],
    ['maxPageBytes', 1],
    ['stopTimeoutMs', Number.NaN],
    ['leadership', 'leader'],
    ['undeliverable', 'block'],
    ['criteriaElementCheck', 'off'],
    ['checkpoint', 'false'],
    ['allowedTokenEndpoints', ['login.example.org']],
  ] as const) {
    it(`refuse ${name} ${String(value)} by name`, () => {
      assert.throws(() => resolveOptions({ ...required, [name]: value }), {
        code: 'KTD_INVALID_OPTION',
        message: new RegExp(name),
      })
    })
  }
})
