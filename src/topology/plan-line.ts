import { formatRetention } from './duration.ts'
import type { Acl } from './acl.ts'
import type { TopologyCheck } from './finding.ts'

interface Line {
  /** Why it is left undone; absent: `apply` does it. */
  readonly blocked?: string
}

export interface CreateTopicLine extends Line {
  readonly action: 'create-topic'
  readonly topic: string
  readonly partitions: number
  readonly replicationFactor: number
  readonly config: Readonly<Record<string, string>>
}

export interface CountLine extends Line {
  readonly action: 'add-partitions' | 'remove-partitions' | 'change-replicas'
  readonly topic: string
  readonly from: number
  readonly to: number
}

export interface AlterConfigLine extends Line {
  readonly action: 'alter-config'
  readonly topic: string
  readonly setting: string
  /** What holds on the cluster. */
  readonly from: string | undefined
  /** Undefined: the file does not have it, so that the broker's default shall hold. */
  readonly to: string | undefined
}

export interface AclLine extends Line {
  readonly action: 'add-acl' | 'remove-acl'
  readonly acl: Acl
}

export interface DeleteTopicLine extends Line {
  readonly action: 'delete-topic'
  readonly topic: string
}

/** One difference between the cluster and the file, as the step that would end it. */
export type PlanLine = CreateTopicLine | CountLine | AlterConfigLine | AclLine | DeleteTopicLine

/** The check that a difference fails. */
export function checkOf({ action }: PlanLine): TopologyCheck {
  if (action === 'add-acl' || action === 'remove-acl') return 'V12'
  return action === 'create-topic' || action === 'delete-topic' ? 'L10' : 'V11'
}

/** One line: `+` is added, `~` is changed, `-` would be gone. */
export function formatPlanLine(line: PlanLine): string {
  const blocked = line.blocked === undefined ? '' : ` [blocked: ${line.blocked}]`
  return `${stepOf(line)}${blocked}`
}

function stepOf(line: PlanLine): string {
  switch (line.action) {
    case 'create-topic':
      return `+ topic ${line.topic}: ${settingsText(line)}`
    case 'add-partitions':
      return `~ topic ${line.topic}: partitions ${line.from} -> ${line.to}`
    case 'remove-partitions':
      return `- topic ${line.topic}: partitions ${line.from} -> ${line.to}`
    case 'change-replicas':
      return `~ topic ${line.topic}: replicas ${line.from} -> ${line.to}`
    case 'alter-config': {
      const { topic, setting, from, to } = line
      return `~ topic ${topic}: ${setting} ${valueText(setting, from)} -> ${valueText(setting, to)}`
    }
    case 'add-acl':
      return `+ acl ${aclText(line.acl)}`
    case 'remove-acl':
      return `- acl ${aclText(line.acl)}`
    case 'delete-topic':
      return `- topic ${line.topic}`
  }
}

function settingsText({ partitions, replicationFactor, config }: CreateTopicLine): string {
  return [
    `${partitions} partitions`,
    `${replicationFactor} replicas`,
    ...Object.entries(config).map(([name, value]) => `${name}=${valueText(name, value)}`),
  ].join(', ')
}

function valueText(setting: string, value: string | undefined): string {
  if (value === undefined) return "(the broker's default)"
  return setting === 'retention.ms' ? `${value} (${formatRetention(Number(value))})` : value
}

export function aclText(acl: Acl): string {
  const { principal, permission, operation, resourceType, patternType, resourceName, host } = acl
  const from = host === '*' ? '' : ` from ${host}`
  return `${principal} ${permission} ${operation} on ${resourceType} ${patternType} ${resourceName}${from}`
}
