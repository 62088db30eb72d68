import { setTimeout as delay } from 'node:timers/promises'
import type { ClusterAdmin } from './cluster-admin.ts'
import { ClusterFailure } from './cluster-failure.ts'
import { TopologyError } from './finding.ts'
import { formatPlanLine, type AclLine, type PlanLine } from './plan-line.ts'
import type { PlanOptions } from './plan-options.ts'
import { planTopology, type TopologyPlan } from './plan-topology.ts'
import type { ResolvedTopology } from './resolved-topology.ts'

export interface ApplyOptions extends PlanOptions {
  /** Longest time until the cluster shows what was done, in milliseconds. Default 30000. */
  readonly timeoutMs?: number
  /** Called before each line is applied. */
  readonly onLine?: (line: PlanLine, index: number, count: number) => void
}

export interface Application {
  readonly applied: readonly PlanLine[]
  /** Differences that are still there, because they are blocked. */
  readonly left: readonly PlanLine[]
}

const pollMs = 100

/** Brings a cluster in line with its file and waits until the cluster shows it. Deletes no topic, removes no partition.
 *  @throws {@link TopologyError} when the cluster refuses, can never do what the file asks for, or does not show it in time */
export async function applyTopology(
  topology: ResolvedTopology,
  admin: ClusterAdmin,
  options: ApplyOptions = {},
): Promise<Application> {
  const plan = await planTopology(topology, admin, options)
  refuseImpossible(plan)
  const applied = plan.lines.filter(isOpen)
  if (applied.length === 0) return { applied, left: plan.lines }
  let done = 0
  for (const step of stepsOf(applied)) {
    for (const line of step) options.onLine?.(line, done++, applied.length)
    await applyStep(step, admin)
  }
  return { applied, left: await untilShown(topology, admin, options) }
}

/** Lines that are one request together: rights that are added, and rights that are removed. */
function stepsOf(lines: readonly PlanLine[]): PlanLine[][] {
  const steps: PlanLine[][] = []
  for (const line of lines) {
    const last = steps.at(-1)
    if (isAclLine(line) && last?.[0]?.action === line.action) last.push(line)
    else steps.push([line])
  }
  return steps
}

function isAclLine(line: PlanLine): line is AclLine {
  return line.action === 'add-acl' || line.action === 'remove-acl'
}

/** @throws {@link TopologyError} with what the cluster can never do */
export function refuseImpossible({ findings }: TopologyPlan): void {
  if (findings.length === 0) return
  const reasons = findings.map(({ check, message }) => `\n${check}: ${message}`)
  throw new TopologyError(`The cluster cannot be as the file says.${reasons.join('')}`)
}

function isOpen({ blocked }: PlanLine): boolean {
  return blocked === undefined
}

async function applyStep(step: readonly PlanLine[], admin: ClusterAdmin): Promise<void> {
  const [line] = step
  const acls = step.filter(isAclLine).map(({ acl }) => acl)
  switch (line?.action) {
    case 'add-acl':
      return admin.createAcls(acls)
    case 'remove-acl':
      return admin.deleteAcls(acls)
    case 'create-topic':
      return admin.createTopic({ ...line, name: line.topic })
    case 'add-partitions':
      return admin.addPartitions(line.topic, line.to)
    case 'alter-config':
      return admin.alterConfig(line.topic, { [line.setting]: line.to })
    case 'remove-partitions':
    case 'change-replicas':
    case 'delete-topic':
    case undefined:
      throw new RangeError(`${line?.action} is never applied`)
  }
}

/** Another plan is the proof. A broker may take a moment to see what the controller has done: topics, settings, and the rights to see them. */
async function untilShown(
  topology: ResolvedTopology,
  admin: ClusterAdmin,
  options: ApplyOptions,
): Promise<readonly PlanLine[]> {
  const deadlineMs = performance.now() + (options.timeoutMs ?? 30_000)
  for (;;) {
    const isLast = performance.now() > deadlineMs
    const lines = await shownLines(topology, admin, options, isLast)
    const open = lines?.filter(isOpen)
    if (lines && open?.length === 0) return lines
    if (isLast) {
      const missing = open?.map((line) => `\n${formatPlanLine(line)}`) ?? []
      throw new TopologyError(`The cluster does not show what was applied:${missing.join('')}`)
    }
    await delay(pollMs)
  }
}

/** Undefined: not even the rights to look are there yet. They were when the first plan was made. */
async function shownLines(
  topology: ResolvedTopology,
  admin: ClusterAdmin,
  options: PlanOptions,
  isLast: boolean,
): Promise<readonly PlanLine[] | undefined> {
  try {
    return (await planTopology(topology, admin, options)).lines
  } catch (error) {
    if (!isLast && error instanceof ClusterFailure && error.isUnauthorized) return undefined
    throw error
  }
}
