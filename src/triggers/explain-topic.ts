import { interactions, type Change, type FhirHost } from '../host/types.ts'
import { Slices } from '../slices.ts'
import {
  observedEngine,
  type Criteria,
  type CriteriaEngine,
  type Evaluation,
  type Verdict,
} from './criteria-engine.ts'
import { partsOf, resolvesReferences, type CriteriaPart } from './criteria-parts.ts'
import { shownResult, type PartValue } from './criteria-values.ts'
import type { AstNode, Position } from './fhirpath-ast.ts'
import { guardHolds, type Guard, type Guards } from './guards.ts'
import { matchChanges } from './match-changes.ts'
import { readMemberships } from './organizations.ts'
import { PathNumbers } from './path-numbers.ts'
import { resourcesAfter } from './read-references.ts'
import type { SubscriptionTopic, TopicTrigger } from './subscription-topic.ts'
import { holds, type Threshold } from './thresholds.ts'
import { TopicIndex } from './topic-index.ts'

/** What decided a trigger: it is on another type or interaction; it has no criteria; the index, by a condition that does not hold
 *  (`guard`) or because all of the criteria is such conditions (`exact`); the evaluation of the criteria. */
export const triggerDeciders = [
  'resource',
  'interaction',
  'no-criteria',
  'guard',
  'exact',
  'criteria',
] as const
export type TriggerDecider = (typeof triggerDeciders)[number]

/** A part of a criteria, with what it came to on the change. */
export interface ExplainedPart {
  readonly text: string
  readonly position: Position
  /** `error`: the evaluation failed here; `not-evaluated`: it did not get here, or the part needs resources that nobody had to read. */
  readonly value: PartValue | { readonly kind: 'error' | 'not-evaluated' }
  readonly operands: readonly ExplainedPart[]
}

export interface ExplainedTrigger {
  readonly decidedBy: TriggerDecider
  /** Absent: undecided. */
  readonly fires?: boolean
  /** The condition of the index that decided, as FHIRPath. */
  readonly guard?: string
  /** Why it is undecided. */
  readonly error?: string
  /** Where the evaluation failed. */
  readonly position?: Position
  readonly parts: readonly ExplainedPart[]
  /** Of the evaluation that decided; the limit is `criteriaLimits.maxSteps`. */
  readonly steps?: number
}

export interface ExplainedTopic {
  /** Absent: undecided. */
  readonly fires?: boolean
  /** Why it is undecided. */
  readonly error?: string
  /** The triggers of the topic, in its order. */
  readonly triggers: readonly ExplainedTrigger[]
  /** Whether the resource belongs to the organization of the topic; absent when the topic has none, or a trigger does not fire. */
  readonly isOfOrganization?: boolean
}

/** Whether a topic fires on one change, and why. Matched by the index that live changes are matched by, as a unit of one change; the status
 *  of the topic is not looked at.
 *
 *  @param read Absent: the host cannot resolve references. */
export async function explainTopic(
  topic: SubscriptionTopic,
  change: Change,
  read: FhirHost['read'] | undefined,
): Promise<ExplainedTopic> {
  const triggers: ExplainedTrigger[] = []
  const slices = new Slices()
  for (const trigger of topic.triggers) {
    triggers.push(await explainTrigger(topic, trigger, change, read))
    // A topic may have many triggers, each stopped only by its own fuel.
    await slices.pause()
  }
  const { fires, error } = await decide(topic, change, read)
  if (fires === false || topic.organization === undefined) {
    return { ...given({ fires, error }), triggers }
  }
  const [membership] = await readMemberships([change], [change], undefined, read)
  const isOfOrganization = membership?.organizations?.has(topic.organization)
  if (isOfOrganization === undefined) {
    return { ...given({ error: error ?? membership?.error }), triggers }
  }
  // As when a live event is addressed: the organization comes after the triggers, and before a doubt about them.
  return isOfOrganization
    ? { ...given({ fires, error }), triggers, isOfOrganization }
    : { fires: false, triggers, isOfOrganization }
}

interface Decision {
  readonly fires: boolean | undefined
  readonly error: string | undefined
}

async function decide(
  topic: SubscriptionTopic,
  change: Change,
  read: FhirHost['read'] | undefined,
  engine?: CriteriaEngine,
): Promise<Decision> {
  const index = new TopicIndex(engine)
  await index.update([], [topic])
  const [match] = await matchChanges(index, [change], undefined, read)
  const undecided = match?.undecided[0]
  if (undecided) return { fires: undefined, error: undecided.error }
  return { fires: (match?.fired.length ?? 0) > 0, error: undefined }
}

/** @param topic with this one trigger */
async function explainTrigger(
  topic: SubscriptionTopic,
  trigger: TopicTrigger,
  change: Change,
  read: FhirHost['read'] | undefined,
): Promise<ExplainedTrigger> {
  const { criteria: text, ...withoutCriteria } = trigger
  const isReached = async (reaching: TopicTrigger): Promise<boolean> =>
    (await decide({ ...topic, triggers: [reaching] }, change, read)).fires === true
  const nothing = { fires: false, parts: [] }
  if (!(await isReached({ ...withoutCriteria, interactions }))) {
    return { decidedBy: 'resource', ...nothing }
  }
  if (!(await isReached(withoutCriteria))) return { decidedBy: 'interaction', ...nothing }
  if (text === undefined) return { decidedBy: 'no-criteria', fires: true, parts: [] }
  const engine = new WatchedEngine()
  const { fires, error } = await decide({ ...topic, triggers: [trigger] }, change, read, engine)
  const { verdict } = engine
  if (verdict) {
    const failed = verdict.kind === 'undecided' ? verdict : undefined
    return {
      decidedBy: 'criteria',
      ...given({ fires, error: failed?.error ?? error, position: failed?.position }),
      parts: explainParts(text, engine),
      ...given({ steps: engine.evaluation?.steps }),
    }
  }
  const failing = failingCondition(engine.guards, change)
  // It was decided without; what the parts are worth is shown all the same.
  engine.criteria?.evaluate(change, resourcesAfter([change]))
  return {
    decidedBy: engine.guards.isExact ? 'exact' : 'guard',
    ...given({ fires, guard: failing }),
    parts: explainParts(text, engine),
  }
}

/** The first condition of the index that does not hold, as FHIRPath. */
function failingCondition(
  { guards, thresholds, isExact }: Guards,
  change: Change,
): string | undefined {
  const numbers = new PathNumbers(change)
  const guard = guards.find((each) => guardHolds(each, isExact, change) === false)
  if (guard) return guardText(guard)
  const threshold = thresholds.find((each) => holds(each, numbers) === false)
  return threshold && thresholdText(threshold)
}

function thresholdText({ path, operator, limit }: Threshold): string {
  return `${path} ${operator} ${limit}`
}

const maxGuardValues = 10

function guardText({ source, steps, values, isEquality }: Guard): string {
  const path = [`%${source}`, ...steps].join('.')
  const alternatives = values.slice(0, maxGuardValues).map((value) => {
    const literal = `'${value.replace(/[\\']/g, '\\$&')}'`
    return isEquality ? `${path} = ${literal}` : `${literal} in ${path}`
  })
  return [...alternatives, ...(values.length > maxGuardValues ? ['…'] : [])].join(' or ')
}

/** The engine of live changes, for one criteria, with a note of what it was asked and found. */
class WatchedEngine implements CriteriaEngine {
  criteria: Criteria | undefined
  guards: Guards = { guards: [], thresholds: [], isExact: false }
  /** Of the last evaluation that the index has asked for. */
  verdict: Verdict | undefined
  evaluation: Evaluation | undefined
  /** Of the nodes of the last evaluation. */
  results: ReadonlyMap<AstNode, unknown> = new Map()

  compile(text: string): Criteria {
    let results = new Map<AstNode, unknown>()
    const criteria = observedEngine({
      onNode: (node, result) => results.set(node, result),
      onEvaluated: (evaluation) => {
        this.evaluation = evaluation
        this.results = results
        results = new Map()
      },
    }).compile(text)
    this.criteria = criteria
    return {
      facts: () => criteria.facts(),
      guards: (resourceType) => (this.guards = criteria.guards(resourceType)),
      evaluate: (change, resolved) => (this.verdict = criteria.evaluate(change, resolved)),
    }
  }
}

function explainParts(
  text: string,
  { evaluation, results }: WatchedEngine,
): readonly ExplainedPart[] {
  if (!evaluation) return []
  const { tree, verdict } = evaluation
  const isOpen = verdict.kind === 'pending'
  let isErrorShown = verdict.kind !== 'undecided' || verdict.position === undefined
  const explained = ({ node, operands, ...part }: CriteriaPart): ExplainedPart => {
    if (results.has(node) && !(isOpen && resolvesReferences(node))) {
      const shown = { ...part, value: shownResult(results.get(node)) }
      return { ...shown, operands: operands.map(explained) }
    }
    const kind = isErrorShown ? 'not-evaluated' : 'error'
    isErrorShown = true
    return {
      ...part,
      value: { kind },
      operands: operands.filter((operand) => results.has(operand.node)).map(explained),
    }
  }
  return partsOf(text, tree).map(explained)
}

type Given<T> = { [Name in keyof T]?: Exclude<T[Name], undefined> }

/** Without what is undefined. */
function given<T extends object>(all: T): Given<T> {
  return Object.fromEntries(
    Object.entries(all).filter(([, value]) => value !== undefined),
  ) as Given<T>
}
