import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { Gauge, Registry } from 'prom-client'
import { Histogram } from '../../../src/observability/histogram.ts'
import { addSource } from '../../../src/observability/metric-registry.ts'
import { metricTable } from '../../../src/observability/metric-table.ts'

const { delivered, queued, deliveryDuration } = metricTable
const labels = { destination: 'd', kind: 'kafka-at-least-once' }

function samples(text: string): string[] {
  return text.split('\n').filter((line) => line !== '' && !line.startsWith('#'))
}

describe("the module's metrics in a registry of prom-client", () => {
  it('are read at each scrape, under their help and type', async () => {
    const registry = new Registry()
    let value = 1
    addSource(registry, delivered, () => [{ labels, value }])
    const first = await registry.metrics()
    assert.match(
      first,
      /^# HELP fhir_topic_destination_events_delivered_total Events .*not sum\.$/m,
    )
    assert.match(first, /^# TYPE fhir_topic_destination_events_delivered_total counter$/m)
    value = 2
    assert.deepEqual(samples(await registry.metrics()), [
      'fhir_topic_destination_events_delivered_total{destination="d",kind="kafka-at-least-once"} 2',
    ])
    registry.resetMetrics()
    assert.equal(samples(await registry.metrics()).length, 1)
  })

  it('have buckets that add up, a sum and a count', async () => {
    const registry = new Registry()
    const histogram = new Histogram([0.1, 1])
    for (const seconds of [-1, 0.1, 0.5, 7]) histogram.observe(seconds)
    addSource(registry, deliveryDuration, () => [{ labels: {}, value: histogram }])
    const name = 'fhir_topic_destination_delivery_duration_seconds'
    assert.deepEqual(samples(await registry.metrics()), [
      `${name}_bucket{le="0.1"} 2`,
      `${name}_bucket{le="1"} 3`,
      `${name}_bucket{le="+Inf"} 4`,
      `${name}_sum 7.6`,
      `${name}_count 4`,
    ])
  })

  it('are shared by the modules of a process, and a module that stops takes its series away', async () => {
    const registry = new Registry()
    const one = addSource(registry, queued, () => [{ labels: { module: 'a' }, value: 1 }])
    const other = addSource(registry, queued, () => [{ labels: { module: 'b' }, value: 2 }])
    assert.equal(samples(await registry.metrics()).length, 2)
    one()
    assert.deepEqual(samples(await registry.metrics()), [`${queued.name}{module="b"} 2`])
    other()
    assert.deepEqual(samples(await registry.metrics()), [])
    addSource(registry, queued, () => [{ labels: {}, value: 3 }])
    assert.deepEqual(samples(await registry.metrics()), [`${queued.name} 3`])
  })

  it('are refused where something else has the name', () => {
    const registry = new Registry()
    const other = new Gauge({ name: queued.name, help: 'other', registers: [registry] })
    assert.throws(() => addSource(registry, queued, () => []), {
      code: 'KTD_INVALID_OPTION',
      message: /has a metric fhir_topic_destination_events_queued that is not this module's/,
    })
    other.set(1)
  })

  it('are added up by node:cluster as their scope says', async () => {
    const registry = new Registry()
    addSource(registry, queued, () => [])
    addSource(registry, deliveryDuration, () => [])
    const told = await registry.getMetricsAsJSON()
    assert.deepEqual(
      told.map((metric) => (metric as { aggregator?: string }).aggregator),
      ['max', 'sum'],
    )
  })

  it('keep their names in the format of OpenMetrics', async () => {
    const registry = new Registry()
    registry.setContentType(Registry.OPENMETRICS_CONTENT_TYPE as never)
    addSource(registry, delivered, () => [{ labels: {}, value: 1 }])
    assert.match(await registry.metrics(), /^fhir_topic_destination_events_delivered_total 1$/m)
  })
})
