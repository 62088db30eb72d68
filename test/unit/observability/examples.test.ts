import assert from 'node:assert/strict'
import { readFile } from 'node:fs/promises'
import { describe, it } from 'node:test'
import { parser } from '@prometheus-io/lezer-promql'
import { parse } from 'yaml'
import { metricTable } from '../../../src/observability/metric-table.ts'

const folder = new URL('../../../examples/observability/', import.meta.url)
const definitions = Object.values(metricTable)
/** Every name of a series, by its metric's labels. */
const seriesNames = new Map<string, readonly string[]>(
  definitions.flatMap(({ name, type, labels }) => {
    const suffixes = type === 'histogram' ? ['_bucket', '_sum', '_count'] : ['']
    return suffixes.map((suffix) => [`${name}${suffix}`, labels] as const)
  }),
)
/** Labels that Prometheus and histograms add. */
const addedLabels = ['instance', 'le']

interface Rule {
  readonly alert: string
  readonly expr: string
  readonly labels: { readonly severity: string }
  readonly annotations: { readonly summary: string; readonly description: string }
}

interface Panel {
  readonly title: string
  readonly gridPos: {
    readonly x: number
    readonly y: number
    readonly w: number
    readonly h: number
  }
  readonly targets: readonly { readonly expr: string }[]
}

interface Dashboard {
  readonly panels: readonly Panel[]
  readonly templating: { readonly list: readonly { readonly definition?: string }[] }
}

async function rules(): Promise<readonly Rule[]> {
  const text = await readFile(new URL('alerts.yaml', folder), 'utf8')
  const { groups } = parse(text) as { groups: readonly { rules: readonly Rule[] }[] }
  return groups.flatMap((group) => group.rules)
}

async function dashboard(): Promise<Dashboard> {
  return JSON.parse(await readFile(new URL('dashboard.json', folder), 'utf8')) as Dashboard
}

/** Fails where the text is not PromQL, or names a metric or a label that is not in the table. */
function assertQuery(expression: string): void {
  const query = expression.replaceAll('$__rate_interval', '5m')
  const names: string[] = []
  const labels: string[] = []
  parser.parse(query).iterate({
    enter({ type, from, to }) {
      const text = query.slice(from, to)
      assert.ok(!type.isError, `no PromQL at ${from}: ${query}`)
      if (type.name === 'Identifier') names.push(text)
      if (type.name === 'LabelName') labels.push(text)
    },
  })
  const used = names.filter((name) => name.startsWith('fhir_'))
  assert.ok(used.length > 0, `no metric in ${query}`)
  const known = new Set(addedLabels)
  for (const name of used) {
    const own = seriesNames.get(name)
    assert.ok(own, `${name} is not in the table`)
    for (const label of own) known.add(label)
  }
  for (const label of labels) assert.ok(known.has(label), `label ${label} in ${query}`)
}

describe('the alert rules', () => {
  it('are PromQL about metrics of the table, and each says what to do', async () => {
    const all = await rules()
    assert.ok(all.length > 8)
    for (const { alert, expr, labels, annotations } of all) {
      assertQuery(expr)
      assert.ok(['page', 'ticket'].includes(labels.severity), alert)
      assert.ok(annotations.summary.length > 10 && annotations.description.length > 60, alert)
    }
    assert.equal(new Set(all.map(({ alert }) => alert)).size, all.length)
  })

  it('are checked: a metric that is not there, a wrong label and no PromQL fail', () => {
    assert.throws(() => {
      assertQuery('max(fhir_topic_destination_missing) > 0')
    }, /is not in the table/)
    assert.throws(() => {
      assertQuery('fhir_topic_destination_events_queued{topic="x"}')
    }, /label topic/)
    assert.throws(() => {
      assertQuery('max(fhir_topic_destination_events_queued > 0')
    }, /no PromQL/)
  })
})

describe('the dashboard', () => {
  it('queries metrics of the table alone', async () => {
    const { panels, templating } = await dashboard()
    assert.ok(panels.length > 10)
    for (const { targets } of panels) for (const { expr } of targets) assertQuery(expr)
    for (const { definition } of templating.list) {
      if (definition === undefined) continue
      const [, name = '', label = ''] = /^label_values\((\w+), (\w+)\)$/.exec(definition) ?? []
      assert.ok(seriesNames.get(name)?.includes(label), definition)
    }
  })

  it('shows every metric that tells of events', async () => {
    const { panels } = await dashboard()
    const shown = JSON.stringify(panels)
    for (const { name, unit } of definitions) {
      const isDetail = /not_kept|not_fired|discarded|in_process/.test(name)
      if (unit === 'events' && !isDetail) assert.ok(shown.includes(name), name)
    }
  })

  it('has panels that do not overlap', async () => {
    const { panels } = await dashboard()
    const taken = new Set<string>()
    for (const { title, gridPos } of panels) {
      const { x, y, w, h } = gridPos
      assert.ok(x + w <= 24, title)
      for (let column = x; column < x + w; column++) {
        for (let row = y; row < y + h; row++) {
          const cell = `${column}/${row}`
          assert.ok(!taken.has(cell), `${title} at ${cell}`)
          taken.add(cell)
        }
      }
    }
  })
})
