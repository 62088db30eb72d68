import type { FhirHost, Interaction, PastChange } from '../host/types.ts'
import { destinationTypeName, topicTypeName } from '../resources/type-names.ts'
import { Slices } from '../slices.ts'
import { observedEngine } from './criteria-engine.ts'
import { matchChanges } from './match-changes.ts'
import { readMemberships } from './organizations.ts'
import type { SubscriptionTopic } from './subscription-topic.ts'
import { TopicIndex } from './topic-index.ts'
import { untilAborted } from './until-aborted.ts'

/** One of the changes that would have made an event. */
export interface ReplaySample {
  /** `Patient/123/_history/4` */
  readonly reference: string
  readonly interaction: Interaction
  readonly at: Date
  /** Why it is undecided; absent: it fires. */
  readonly error?: string
}

export interface Replay {
  /** Changes of the topic's types that were looked at. */
  readonly examined: number
  readonly fired: number
  readonly undecided: number
  /** The newest first: up to `maxSamples` that fire, then as many that are undecided. */
  readonly samples: readonly ReplaySample[]
  /** Why changes are undecided, with their number, the most frequent first. */
  readonly errors: readonly ReplayError[]
  /** Evaluations of a criteria, and their steps. What the index decides alone costs none. */
  readonly evaluations: number
  readonly steps: number
  /** References that were read, as they are now and not as they were then. */
  readonly referencesRead: number
  /** Time of the newest and of the oldest change that was looked at. */
  readonly newest?: Date
  readonly oldest?: Date
  /** Why older changes were not looked at; absent: there are none. */
  readonly cut?: 'changes' | 'time'
}

export interface ReplayError {
  readonly message: string
  readonly count: number
}

export interface ReplayOptions {
  readonly maxChanges: number
  readonly maxSamples: number
  /** Ends the replay with what it has. */
  readonly signal: AbortSignal
  readonly read: FhirHost['read']
  /** Milliseconds since any beginning. */
  readonly now: () => number
}

/** Changes that are matched together, so that what they refer to is read at once. */
const maxSliceChanges = 20
/** A slice that took longer is followed by a smaller one: what an abort finds unfinished is done in vain. */
const maxSliceMs = 100
const maxMessages = 20

/** Decides a topic on past changes by the index that live changes are matched by. `resolve()` and the hierarchy of organizations are as
 *  they are now; the status of the topic is not looked at.
 *
 *  @param changes The newest first. Those of the module's own types are passed over, as live ones are.
 *  @throws what `changes` throws, unless the signal is aborted by then */
export async function replayHistory(
  topic: SubscriptionTopic,
  changes: AsyncIterable<PastChange>,
  options: ReplayOptions,
): Promise<Replay> {
  const { maxChanges, signal } = options
  const replay = new RunningReplay(topic, options)
  await replay.begin()
  let slice: PastChange[] = []
  let isCutByNumber = false
  for await (const change of untilAborted(changes, signal)) {
    if (change.resourceType === topicTypeName || change.resourceType === destinationTypeName) {
      continue
    }
    isCutByNumber = replay.examined + slice.length === maxChanges
    if (isCutByNumber) break
    slice.push(change)
    if (slice.length < replay.sliceChanges) continue
    if (!(await replay.examine(slice))) break
    slice = []
  }
  const isExamined = await replay.examine(slice)
  return replay.result(isExamined ? (isCutByNumber ? 'changes' : undefined) : 'time')
}

class RunningReplay {
  examined = 0
  sliceChanges = 1
  readonly #topic: SubscriptionTopic
  readonly #options: ReplayOptions
  readonly #index: TopicIndex
  readonly #read: FhirHost['read']
  readonly #samples = { fired: [] as ReplaySample[], undecided: [] as ReplaySample[] }
  readonly #errors = new Map<string, number>()
  readonly #counts = { fired: 0, undecided: 0, evaluations: 0, steps: 0, referencesRead: 0 }
  #newest: Date | undefined
  #oldest: Date | undefined
  readonly #slices: Slices

  constructor(topic: SubscriptionTopic, options: ReplayOptions) {
    this.#topic = topic
    this.#options = options
    this.#slices = new Slices(options)
    const counts = this.#counts
    this.#index = new TopicIndex(
      observedEngine({
        onEvaluated: ({ steps }) => {
          counts.evaluations++
          counts.steps += steps
        },
      }),
    )
    this.#read = async (references) => {
      counts.referencesRead += references.length
      return options.read(references)
    }
  }

  /** Before anything is examined. */
  async begin(): Promise<void> {
    await this.#index.update([], [this.#topic])
  }

  /** @returns false when the signal was aborted before all of the slice was decided: nothing of it counts then */
  async examine(slice: readonly PastChange[]): Promise<boolean> {
    const { signal, now } = this.#options
    const beganMs = now()
    const decided = await this.#decide(slice).catch((error: unknown) => {
      if (signal.aborted) return undefined
      throw error
    })
    if (!decided || signal.aborted) return false
    for (const decision of decided) this.#count(decision)
    const isFast = now() - beganMs < maxSliceMs
    this.sliceChanges = isFast ? Math.min(this.sliceChanges * 2, maxSliceChanges) : 1
    return true
  }

  result(cut: Replay['cut']): Replay {
    const errors = [...this.#errors].map(([message, count]) => ({ message, count }))
    return {
      examined: this.examined,
      ...this.#counts,
      samples: [...this.#samples.fired, ...this.#samples.undecided],
      errors: errors.toSorted((one, other) => other.count - one.count),
      ...(this.#newest ? { newest: this.#newest } : {}),
      ...(this.#oldest ? { oldest: this.#oldest } : {}),
      ...(cut ? { cut } : {}),
    }
  }

  /** What the changes of the slice come to, in their order. */
  async #decide(slice: readonly PastChange[]): Promise<readonly Decision[]> {
    const matches = await matchChanges(this.#index, slice, undefined, this.#read, {
      // Not what the changes themselves left behind, which is older than what is read.
      known: new Map(),
      pause: () => this.#slices.pause(),
    })
    const decisions = matches.map(({ fired, undecided }, i): Decision => ({
      change: slice[i] as PastChange,
      fires: fired.length > 0,
      error: undecided[0]?.error,
    }))
    const { organization } = this.#topic
    if (organization === undefined) return decisions
    const wanted = decisions.filter(({ fires, error }) => fires || error !== undefined)
    const asked = wanted.map(({ change }) => change)
    const memberships = await readMemberships(asked, [], undefined, this.#read)
    const isOf = new Map(asked.map((change, i) => [change, memberships[i]]))
    // As live events are addressed: one of another organization is nobody's, one of an unknown organization is undecided.
    return decisions.map(({ change, fires, error }) => {
      const membership = isOf.get(change)
      if (!membership) return { change, fires, error }
      if (membership.error !== undefined) {
        return { change, fires: false, error: error ?? membership.error }
      }
      const isWanted = membership.organizations.has(organization)
      return { change, fires: fires && isWanted, error: isWanted ? error : undefined }
    })
  }

  #count({ change, fires, error }: Decision): void {
    const { resourceType, id, versionId, interaction, at } = change
    this.examined++
    this.#newest ??= at
    this.#oldest = at
    if (!fires && error === undefined) return
    const isUndecided = error !== undefined
    this.#counts[isUndecided ? 'undecided' : 'fired']++
    const samples = this.#samples[isUndecided ? 'undecided' : 'fired']
    if (samples.length < this.#options.maxSamples) {
      const reference = `${resourceType}/${id}/_history/${versionId}`
      samples.push({ reference, interaction, at, ...(isUndecided ? { error } : {}) })
    }
    if (!isUndecided) return
    const isNew = !this.#errors.has(error)
    const message = isNew && this.#errors.size >= maxMessages ? 'Other errors.' : error
    this.#errors.set(message, (this.#errors.get(message) ?? 0) + 1)
  }
}

interface Decision {
  readonly change: PastChange
  readonly fires: boolean
  /** Why it is undecided. */
  readonly error: string | undefined
}
