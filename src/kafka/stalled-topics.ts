import type { CauseReporter } from './cause-reporter.ts'
import { causeOfCode, type KafkaCause } from './kafka-causes.ts'
import { nativeFailure } from './native-failure.ts'
import type { RdkafkaClient } from './rdkafka-client.ts'
import { causeOfTopicState } from './topic-state.ts'

/** Nothing of a topic was acknowledged for so long: librdkafka repeats most errors for minutes without a word. */
const stalledAfterMs = 2000
const askAgainAfterMs = 5000
const answerWithinMs = 1500

/** Why a topic stands still; undefined when the cluster did not say, which is a cause of the connection and reported as that. */
export async function causeOfStall(
  client: Pick<RdkafkaClient, 'topicMetadata'>,
  kafkaTopic: string,
  causes: CauseReporter,
): Promise<KafkaCause | undefined> {
  try {
    return causeOfTopicState(kafkaTopic, await client.topicMetadata(kafkaTopic, answerWithinMs))
  } catch (error) {
    const { code, text } = nativeFailure(error)
    // What the log has said is more exact, and a client that was closed meanwhile has no code.
    if (code !== undefined) causes.reportUnlessKnown(causeOfCode(code, text))
    return undefined
  }
}

/** Calls `onStall` when `work` takes long, and again while it goes on.
 *  @param abandoned nobody asks for it any more */
export async function watched<Result>(
  work: () => Promise<Result>,
  onStall: () => void,
  abandoned?: AbortSignal,
): Promise<Result> {
  let timer = setTimeout(function stalled() {
    if (abandoned?.aborted) return
    onStall()
    timer = setTimeout(stalled, askAgainAfterMs)
  }, stalledAfterMs)
  try {
    return await work()
  } finally {
    clearTimeout(timer)
  }
}

/** How far the records for one topic have come that were handed over and not settled. */
export class TopicProgress {
  readonly kafkaTopic: string
  /** Why it stands still; undefined while it moves. */
  cause: string | undefined
  #unsettled = 0
  #movedAtMs = 0
  #askedAtMs = Number.NEGATIVE_INFINITY

  constructor(kafkaTopic: string) {
    this.kafkaTopic = kafkaTopic
  }

  noteHandedOver(nowMs: number): void {
    if (this.#unsettled === 0) this.#movedAtMs = nowMs
    this.#unsettled++
  }

  noteSettled(nowMs: number, isAcknowledged: boolean): void {
    this.#unsettled--
    this.#movedAtMs = nowMs
    if (isAcknowledged) this.cause = undefined
  }

  /** True once when it stands still, and again from time to time. */
  isToBeAskedAbout(nowMs: number): boolean {
    const isDue = this.isStalled(nowMs) && nowMs - this.#askedAtMs > askAgainAfterMs
    if (isDue) this.#askedAtMs = nowMs
    return isDue
  }

  isStalled(nowMs: number): boolean {
    return this.#unsettled > 0 && nowMs - this.#movedAtMs > stalledAfterMs
  }
}
