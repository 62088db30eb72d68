import assert from 'node:assert/strict'
import { readFile } from 'node:fs/promises'
import { describe, it } from 'node:test'
import { differencesPage } from '../../../scripts/fhirpath-differences.ts'
import { runFhirPathSuite } from '../../helpers/fhirpath-suite.ts'

describe("HL7's FHIRPath suite for R4", async () => {
  const results = await runFhirPathSuite()
  const count = (outcome: string): number =>
    results.filter((result) => result.outcome === outcome).length

  it('passes no fewer tests than it did', () => {
    assert.equal(results.length, 935)
    const { passed, refused } = { passed: count('passed'), refused: count('refused') }
    assert.deepEqual({ passed, refused }, { passed: 870, refused: 44 })
  })

  it('passes what fhirpath.js passes, but for what the check of criteria refuses', () => {
    const lost = results.filter(
      ({ outcome, passesPlainly }) => outcome === 'differs' && passesPlainly,
    )
    assert.deepEqual(
      lost.map(({ test }) => test.name),
      [],
    )
    const passing = results.filter(({ passesPlainly }) => passesPlainly)
    assert.equal(passing.length, 898)
  })

  it('differs where docs/fhirpath-differences.md says so', async () => {
    const page = new URL('../../../docs/fhirpath-differences.md', import.meta.url)
    assert.equal(
      await readFile(page, 'utf8'),
      await differencesPage(results),
      'Run "npm run docs" and commit the result.',
    )
  })
})
