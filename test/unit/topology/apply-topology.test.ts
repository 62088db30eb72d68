import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { applyTopology } from '../../../src/topology/apply-topology.ts'
import type { ClusterAdmin, ClusterTopic } from '../../../src/topology/cluster-admin.ts'
import { ClusterFailure } from '../../../src/topology/cluster-failure.ts'
import { formatPlanLine } from '../../../src/topology/plan-line.ts'
import { stillCluster, topologyOf } from '../../helpers/topology.ts'

/** A cluster that shows a topic it has created only at the later looks: first it is not allowed to be seen, then not there. */
function slowCluster(looksUntilShown: number): ClusterAdmin {
  let created: ClusterTopic | undefined
  let looks = 0
  return {
    ...stillCluster({}),
    createTopic: (topic) => {
      created = { ...topic, effectiveConfig: topic.config }
      return Promise.resolve()
    },
    topicNames: () => {
      if (!created) return Promise.resolve([])
      looks++
      if (looks === 1) return Promise.reject(new ClusterFailure('not yet', true, undefined))
      return Promise.resolve(looks < looksUntilShown ? [] : [created.name])
    },
    describeTopics: (names) => Promise.resolve(created && names.length > 0 ? [created] : []),
  }
}

const topology = topologyOf('topics: { orders: { external: true } }')

describe('applyTopology', () => {
  it('waits until the cluster shows what was done, and tells what it does', async () => {
    const told: string[] = []
    const { applied, left } = await applyTopology(topology, slowCluster(3), {
      onLine: (line, index, count) => told.push(`${index}/${count} ${formatPlanLine(line)}`),
    })
    assert.deepEqual(told, ['0/1 + topic orders: 1 partitions, 1 replicas'])
    assert.deepEqual([applied.length, left.length], [1, 0])
  })

  it('fails when the cluster does not show it in time', async () => {
    await assert.rejects(
      applyTopology(topology, slowCluster(Number.POSITIVE_INFINITY), { timeoutMs: 150 }),
      /^TopologyError: The cluster does not show what was applied:\n\+ topic orders: /,
    )
  })

  it('fails at once when a look fails for another reason than a right', async () => {
    const cluster = slowCluster(3)
    let looks = 0
    const broken = {
      ...cluster,
      facts: () =>
        looks++ === 0
          ? cluster.facts()
          : Promise.reject(new ClusterFailure('gone', false, undefined)),
    }
    await assert.rejects(applyTopology(topology, broken), /^ClusterFailure: gone$/)
  })
})
