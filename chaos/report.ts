import { markdownTable } from '../src/markdown-table.ts'
import { kinds, type ViolationKind } from './ledger.ts'
import type { ModuleVariant } from './options.ts'

export interface Progress {
  readonly phase: 'chaos' | 'settling' | 'checking'
  readonly seconds: number
  readonly events: number
  readonly faults: number
  /** Requests answered with success. */
  readonly writes: number
  readonly violations: Readonly<Record<ViolationKind, number>>
}

/** What a run has found; one line of `npm run chaos -- --json`. */
export interface ChaosReport extends Readonly<Record<ViolationKind, number>> {
  readonly suite: 'chaos'
  readonly seed: number
  /** From the first start to the end of the checks. */
  readonly seconds: number
  readonly nodes: number
  readonly module: ModuleVariant
  /** Events of all at-least-once destinations, each checked. */
  readonly events: number
  /** Requests answered with success; a bundle writes several resources. */
  readonly writes: number
  readonly rolledBack: number
  readonly refused: number
  readonly unanswered: number
  readonly faults: number
  readonly faultsByKind: Readonly<Record<string, number>>
  readonly destinations: number
  /** Leaderships taken up. */
  readonly leaders: number
  /** Events that a new leader did not send again because of a checkpoint. */
  readonly settledByCheckpoint: number
  readonly deadLetters: number
  /** Best effort: versions that came after a later one of the same resource from the same node. */
  readonly bestEffortReordered: number
  /** Longest time without a notification at the destination of everything while one was waiting. */
  readonly maxSilenceMs: number
  /** Times that the run's own consumer ended by itself and was replaced. */
  readonly readerCrashes: number
  /** Nodes that crashed by themselves or did not stop, and answers that nothing here can cause. */
  readonly faulty: number
  /** The first violations of each kind, by ids. */
  readonly examples: readonly string[]
}

/** Without Kafka transactions, or without checkpoints in them, events may come twice. */
export function hasHeld(report: ChaosReport): boolean {
  const broken = kinds.filter((kind) => report[kind] > 0)
  const isExactlyOnce = report.module.transactional && report.module.checkpoint
  const allowed: readonly ViolationKind[] = isExactlyOnce ? [] : ['doubled']
  return report.faulty === 0 && broken.every((kind) => allowed.includes(kind))
}

export function progressLine({ phase, seconds, events, faults, writes, violations }: Progress) {
  const broken = kinds.filter((kind) => violations[kind] > 0)
  const found = broken.map((kind) => `, ${violations[kind]} ${kind}`).join('')
  return `${Math.round(seconds)} s ${phase}: ${writes} writes, ${events} events, ${faults} faults${found}`
}

export function reportText(report: ChaosReport): string {
  const { examples, faultsByKind, suite: _suite, module, ...figures } = report
  const rows = Object.entries({ ...module, ...figures }).map(([name, value]) => [
    name,
    String(value),
  ])
  const faultRows = Object.entries(faultsByKind).map(([name, count]) => [name, String(count)])
  return [
    markdownTable(['figure', ''], rows),
    markdownTable(['fault', 'times'], faultRows),
    ...(examples.length > 0 ? [examples.join('\n')] : []),
    hasHeld(report) ? 'Every promise held.' : 'A promise was broken.',
  ].join('\n\n')
}
