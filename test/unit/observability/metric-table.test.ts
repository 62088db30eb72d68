import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { helpOf, metricTable } from '../../../src/observability/metric-table.ts'

const definitions = Object.values(metricTable)

describe('the table of metrics', () => {
  it('has each name once', () => {
    assert.equal(new Set(definitions.map(({ name }) => name)).size, definitions.length)
  })

  for (const definition of definitions) {
    const { name, type, unit, scope, labels, help, buckets } = definition
    it(`${name} has a name, labels and a help in the manner of Prometheus`, () => {
      assert.match(name, /^fhir_topic_destination_[a-z]+(?:_[a-z]+)*$/)
      assert.equal(name.endsWith('_total'), type === 'counter')
      assert.equal(/_seconds$/.test(name), unit === 'seconds')
      const bounded = ['destination', 'kind', 'state', 'operation', 'result']
      for (const label of labels) assert.ok(bounded.includes(label), label)
      assert.match(help, /^[A-Z].*\.$/)
      assert.match(helpOf(definition), scope === 'cluster' ? /max, not sum\.$/ : /Of this node\.$/)
      assert.equal(buckets !== undefined, type === 'histogram')
      assert.deepEqual(
        buckets,
        buckets?.toSorted((a, b) => a - b),
      )
    })
  }
})
