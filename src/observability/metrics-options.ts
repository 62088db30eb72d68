import { TopicDestinationError } from '../errors.ts'
import { checkRanges } from '../option-checks.ts'
import { metricTable, type MetricDefinition } from './metric-table.ts'
import { defaultMaxDestinations, type MetricsOptions } from './module-metrics.ts'

const ranges = { 'metrics.maxDestinations': [0, 100_000] } as const

/** @throws TopicDestinationError `KTD_INVALID_OPTION` naming the option */
export function checkMetricsOptions(options: MetricsOptions): void {
  const { registry, labels = {}, maxDestinations = defaultMaxDestinations } = options
  if (!hasMethods(registry, ['registerMetric', 'getSingleMetric']))
    throw invalid('metrics.registry must be a Registry of prom-client, or of its shape.')
  const definitions: readonly MetricDefinition[] = Object.values(metricTable)
  const taken = new Set(['le', ...definitions.flatMap((definition) => definition.labels)])
  for (const name of Object.keys(labels)) {
    if (!/^[a-zA-Z_][a-zA-Z0-9_]*$/.test(name) || name.startsWith('__'))
      throw invalid(`metrics.labels has a name that is none of Prometheus: ${name}.`)
    if (taken.has(name))
      throw invalid(`metrics.labels must not have ${name}, which the module sets.`)
  }
  checkRanges({ 'metrics.maxDestinations': maxDestinations }, ranges)
}

/** Who writes no TypeScript may give anything. */
function hasMethods(value: unknown, names: readonly string[]): boolean {
  if (typeof value !== 'object' || value === null) return false
  return names.every((name) => typeof (value as Record<string, unknown>)[name] === 'function')
}

function invalid(text: string): TopicDestinationError {
  return new TopicDestinationError('KTD_INVALID_OPTION', text)
}
