import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { kinds } from '../../chaos/ledger.ts'
import { promisedVariant } from '../../chaos/options.ts'
import { hasHeld } from '../../chaos/report.ts'
import { chaosReport } from '../helpers/chaos-run.ts'

describe('a cluster under faults', () => {
  it('loses nothing, doubles nothing, keeps order and numbers, and counts right', async (t) => {
    const report = await chaosReport(t, {
      seed: 5,
      seconds: 17,
      events: 1000,
      faults: 20,
      nodes: 3,
      ratePerSecond: 200,
      connections: 8,
      bundleEntries: 6,
      copies: 0,
      faultIntervalMs: 400,
      module: promisedVariant,
    })
    t.diagnostic(JSON.stringify(report))
    const broken = kinds.filter((kind) => report[kind] > 0)
    assert.deepEqual([broken, report.examples], [[], []])
    assert.equal(hasHeld(report), true)
    assert.ok(report.rolledBack > 0 && report.leaders > 2, JSON.stringify(report))
  })
})
