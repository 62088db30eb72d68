import type { ClusterTopic } from './cluster-admin.ts'
import type { PlanOptions } from './plan-options.ts'
import type { AlterConfigLine } from './plan-line.ts'
import type { ResolvedTopic } from './resolved-topology.ts'

const isDurability = (name: string): boolean =>
  name === 'retention.ms' || name === 'retention.bytes' || name === 'cleanup.policy'

/** Settings of a topic that differ from the file, and those that somebody set on it and the file does not have. */
export function settingChanges(
  { name: topic, config }: ResolvedTopic,
  live: ClusterTopic,
  { allowShorterRetention = false }: PlanOptions,
): AlterConfigLine[] {
  const names = new Set([...Object.keys(config), ...Object.keys(live.config)])
  return [...names].toSorted().flatMap((setting) => {
    const from = live.config[setting] ?? live.effectiveConfig[setting]
    const to = config[setting]
    if (isSame(setting, from, to)) return []
    const blocked =
      'Kafka deletes at once what is older or too much; --allow-shorter-retention does it'
    return [
      {
        action: 'alter-config',
        topic,
        setting,
        from,
        to,
        ...(allowShorterRetention || !canLoseRecords(setting, from, to) ? {} : { blocked }),
      } satisfies AlterConfigLine,
    ]
  })
}

/** A list is the same in any order, a number with any zeros, a word in capitals and with blanks around it: Kafka answers in a form of its own. */
function isSame(setting: string, from: string | undefined, to: string | undefined): boolean {
  if (setting === 'cleanup.policy') return sortedList(from) === sortedList(to)
  return from === to || (from !== undefined && to !== undefined && bare(from) === bare(to))
}

function bare(value: string): string {
  const text = value.trim()
  if (/^(true|false)$/i.test(text)) return text.toLowerCase()
  const [, sign, whole, fraction = ''] = /^([-+]?)0*(\d+)(?:\.(\d*?)0*)?$/.exec(text) ?? []
  if (whole === undefined) return text
  return `${sign === '-' ? '-' : ''}${whole}${fraction === '' ? '' : `.${fraction}`}`
}

function sortedList(text: string | undefined): string | undefined {
  return text
    ?.split(',')
    .map((item) => item.trim())
    .toSorted()
    .join()
}

/** What goes back to the broker's default may become shorter than it is. */
function canLoseRecords(
  setting: string,
  from: string | undefined,
  to: string | undefined,
): boolean {
  if (!isDurability(setting)) return false
  if (to === undefined || from === undefined) return true
  if (setting === 'cleanup.policy') return !from.includes('delete') || to.includes('compact')
  const limit = (text: string): number =>
    Number(text) < 0 ? Number.POSITIVE_INFINITY : Number(text)
  return limit(to) < limit(from)
}
