import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import type { ViolationKind } from '../../chaos/ledger.ts'
import { promisedVariant } from '../../chaos/options.ts'
import { hasHeld } from '../../chaos/report.ts'
import { chaosReport } from '../helpers/chaos-run.ts'
import { testKafka } from '../helpers/kafka.ts'
import { testDatabase } from '../helpers/postgres.ts'

interface PlantedBug {
  readonly name: string
  /** File in chaos/planted/. */
  readonly planted?: string
  readonly checkpoint?: false
  /** Faults that bring it out. */
  readonly kinds: readonly string[]
  readonly nodes: number
  readonly found: ViolationKind
}

const bugs: readonly PlantedBug[] = [
  {
    name: 'a reader that remembers the last id only',
    planted: 'id-cursor',
    kinds: ['slow commits'],
    nodes: 1,
    found: 'lost',
  },
  {
    name: 'an acknowledgement before Kafka has committed',
    planted: 'early-acknowledgement',
    kinds: ['kill leader'],
    nodes: 2,
    found: 'lost',
  },
  {
    name: 'a view of the destinations without a lease',
    planted: 'stale-view',
    kinds: ['add destination'],
    nodes: 2,
    found: 'lost',
  },
  {
    name: 'no checkpoints',
    checkpoint: false,
    kinds: ['kill leader at an acknowledgement'],
    nodes: 2,
    found: 'doubled',
  },
]

describe('the check of a chaos run', () => {
  for (const { name, planted, checkpoint = true, kinds, nodes, found } of bugs) {
    it(`finds ${name}: ${found}`, async (t) => {
      const { connectionString } = await testDatabase(t)
      const { bootstrapServers } = await testKafka()
      const report = await chaosReport(
        t,
        {
          seed: 3,
          seconds: 3,
          events: 300,
          faults: 2,
          nodes,
          ratePerSecond: 200,
          connections: 8,
          bundleEntries: 6,
          copies: 0,
          faultIntervalMs: 1000,
          module: { ...promisedVariant, checkpoint },
        },
        {
          services: { databaseUrl: connectionString, bootstrapServers },
          kinds,
          ...(planted === undefined ? {} : { planted }),
        },
      )
      t.diagnostic(JSON.stringify(report))
      assert.ok(report[found] > 0, JSON.stringify(report))
      assert.equal(hasHeld({ ...report, module: promisedVariant }), false)
    })
  }
})
