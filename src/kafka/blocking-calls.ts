import { isUnanswered } from './kafka-error.ts'
import { nativeFailure } from './native-failure.ts'

/** `connect` may take seconds while a cluster is away; `request` waits for an answer of the cluster, `local` does not. */
export type BlockingCallKind = 'connect' | 'request' | 'local'

interface Waiting {
  readonly kind: BlockingCallKind
  readonly cluster: string
  readonly start: (isSlow: boolean) => void
}

/** Lets at most `maxCalls` blocking librdkafka calls run at a time, and only one of them that may be slow: a connect, or a request to a
 *  cluster that did not answer the last one.
 *
 *  Such a call holds one of libuv's four threads, which file access, DNS look-up and with it every new database connection share: four
 *  connects to a dead broker would stop the whole server for as long as they last. A dead cluster must not hold up the commits of a
 *  healthy one either, hence the second limit. Among slow calls those to clusters that did not fail go first: a healthy destination that
 *  connects must not wait behind twenty that never will. */
export class BlockingCalls {
  readonly #maxCalls: number
  readonly #isSilence: (error: unknown) => boolean
  readonly #waiting: Waiting[] = []
  readonly #failing = new Set<string>()
  #running = 0
  #slow = 0

  /** @param isSilence whether a failure means that the cluster did not answer; what it refuses it refuses at once */
  constructor(maxCalls: number, isSilence: (error: unknown) => boolean = () => true) {
    this.#maxCalls = maxCalls
    this.#isSilence = isSilence
  }

  async run<Result>(
    kind: BlockingCallKind,
    cluster: string,
    call: () => Promise<Result>,
  ): Promise<Result> {
    const isSlow = await new Promise<boolean>((start) => {
      this.#waiting.push({ kind, cluster, start })
      this.#startNext()
    })
    try {
      const result = await call()
      if (kind !== 'local') this.#failing.delete(cluster)
      return result
    } catch (error) {
      if (kind !== 'local' && this.#isSilence(error)) this.#failing.add(cluster)
      throw error
    } finally {
      this.#running--
      if (isSlow) this.#slow--
      this.#startNext()
    }
  }

  #startNext(): void {
    while (this.#running < this.#maxCalls) {
      const next = this.#takeNext()
      if (!next) return
      const isSlow = this.#isSlow(next)
      this.#running++
      if (isSlow) this.#slow++
      next.start(isSlow)
    }
  }

  /** In order; slow ones one at a time, of these the hopeful before the failing. */
  #takeNext(): Waiting | undefined {
    const first = this.#waiting.findIndex((waiting) => this.#slow === 0 || !this.#isSlow(waiting))
    const candidate = this.#waiting[first]
    if (!candidate) return undefined
    const hopeful =
      this.#isSlow(candidate) && this.#failing.has(candidate.cluster)
        ? this.#waiting.findIndex(
            (waiting) => this.#isSlow(waiting) && !this.#failing.has(waiting.cluster),
          )
        : -1
    return this.#waiting.splice(hopeful < 0 ? first : hopeful, 1)[0]
  }

  #isSlow({ kind, cluster }: Waiting): boolean {
    return kind === 'connect' || (kind === 'request' && this.#failing.has(cluster))
  }
}

/** The process has one thread pool, so it has one of these. */
export const blockingCalls: BlockingCalls = new BlockingCalls(2, (error) =>
  isUnanswered(nativeFailure(error).code),
)
