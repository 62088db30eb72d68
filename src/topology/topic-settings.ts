import type { EnvironmentEntry, TopicSettings } from './document.ts'
import { retentionMs } from './duration.ts'
import type { DocumentPath, Report } from './finding.ts'

/** Partitions, replicas and configuration of a topic, each from the nearest that says something: the topic, the environment, the defaults. */
export interface SettledSettings {
  readonly partitions: number
  readonly replicationFactor: number
  readonly config: Readonly<Record<string, string>>
}

export interface SettingsLayer {
  readonly settings: TopicSettings | EnvironmentEntry | undefined
  readonly path: DocumentPath
}

/** @param layers the farthest first
 *  @param report gets durations that are none */
export function settle(layers: readonly SettingsLayer[], report: Report): SettledSettings {
  let partitions = 1
  let replicationFactor = 1
  let config: Record<string, string> = {}
  for (const { settings, path } of layers) {
    if (!settings) continue
    const wanted = settings.partitions ?? partitions
    partitions = typeof wanted === 'number' ? wanted : wanted.maxConsumers
    replicationFactor = settings.replicationFactor ?? replicationFactor
    config = { ...config, ...kafkaConfig(settings.config ?? {}, [...path, 'config'], report) }
  }
  return { partitions, replicationFactor, config }
}

function kafkaConfig(
  config: Readonly<Record<string, string | number | boolean>>,
  path: DocumentPath,
  report: Report,
): Record<string, string> {
  const { retention, ...rest } = config
  for (const [name, value] of Object.entries(rest)) {
    if (typeof value !== 'number' || Math.abs(value) <= Number.MAX_SAFE_INTEGER) continue
    const message = `"${name}" is too large to be read as a number exactly; write it in quotes.`
    report({ check: 'schema', severity: 'error', message, path: [...path, name] })
  }
  const result = Object.fromEntries(
    Object.entries(rest).map(([name, value]) => [name, String(value)]),
  )
  if (retention === undefined) return result
  const refuse = (message: string): void => {
    report({ check: 'schema', severity: 'error', message, path: [...path, 'retention'] })
  }
  if (result['retention.ms'] !== undefined) {
    refuse('retention and retention.ms say the same; write one of them.')
  }
  const milliseconds = retentionMs(String(retention))
  if (milliseconds === undefined) {
    // A variable without a value has been reported.
    if (!String(retention).includes('${'))
      refuse(`"${retention}" is no retention; write a number and its unit, as in 7d, or unlimited.`)
    return result
  }
  return { ...result, 'retention.ms': String(milliseconds) }
}
