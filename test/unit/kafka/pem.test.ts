import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { pemBlocks } from '../../../src/kafka/pem.ts'

describe('pemBlocks', () => {
  it('reads texts of any length, and of any number of beginnings', () => {
    const long = `-----BEGIN CERTIFICATE-----\n${'A'.repeat(10_000_000)}\n-----END CERTIFICATE-----`
    assert.deepEqual(
      pemBlocks(long).map(({ label }) => label),
      ['CERTIFICATE'],
    )
    const hyphens = '-----BEGIN CERTIFICATE-----' + '-A'.repeat(5_000_000)
    assert.deepEqual(pemBlocks(hyphens), [])
    assert.deepEqual(pemBlocks('-----BEGIN CERTIFICATE-----'.repeat(100_000)), [])
  })
})
