import { isUnanswered } from './kafka-error.ts'
import { nativeFailure } from './native-failure.ts'

/** `connect` may take seconds while a cluster is away; `request` waits for an answer of the cluster, `local` does not. */
export type BlockingCallKind = 'connect' | 'request' | 'local'

interface Waiting {
  readonly kind: BlockingCallKind
  readonly cluster: string
  readonly start: (isSlow: boolean) => void
}

/** Calls of a cluster in a row that it has not answered. */
interface Unanswered {
  readonly connects: number
  readonly requests: number
}

const answered: Unanswered = { connects: 0, requests: 0 }

/** One request may be nothing: an abort after a refused record never ends within its slice. */
function isSilent({ connects, requests }: Unanswered): boolean {
  return connects > 0 || requests > 1
}

/** Lets at most `maxCalls` blocking librdkafka calls run at a time, and only one of them that may be slow: a call to a cluster that does not
 *  answer, or the first connect to one.
 *
 *  Such a call holds one of libuv's four threads, which file access, DNS look-up and with it every new database connection share: four
 *  connects to a dead broker would stop the whole server for as long as they last. A dead cluster must not hold up the connects and commits of a
 *  healthy one either, hence the second limit. Among slow calls those to clusters that nobody knows yet go first: a new destination
 *  must not wait behind twenty that never will connect.
 *
 *  Only silence makes a cluster slow. A refusal is an answer: the other destinations of a cluster that refuses the records of one must not
 *  stand in line with dead clusters. A connect says nothing about requests: brokers answer it while their transaction coordinator is away. */
export class BlockingCalls {
  readonly #maxCalls: number
  readonly #waiting: Waiting[] = []
  /** Of every cluster that was called. */
  readonly #unanswered = new Map<string, Unanswered>()
  #running = 0
  #slow = 0

  constructor(maxCalls: number) {
    this.#maxCalls = maxCalls
  }

  /** @param calledOff ends the wait for a turn, with its reason; a call that has begun goes on */
  async run<Result>(
    kind: BlockingCallKind,
    cluster: string,
    call: () => Promise<Result>,
    calledOff?: AbortSignal,
  ): Promise<Result> {
    const isSlow = await this.#turn(kind, cluster, calledOff)
    try {
      const result = await call()
      this.#noteAnswer(kind, cluster)
      return result
    } catch (error) {
      if (isUnanswered(nativeFailure(error).code)) this.#noteSilence(kind, cluster)
      throw error
    } finally {
      this.#running--
      if (isSlow) this.#slow--
      this.#startNext()
    }
  }

  async #turn(
    kind: BlockingCallKind,
    cluster: string,
    calledOff: AbortSignal | undefined,
  ): Promise<boolean> {
    calledOff?.throwIfAborted()
    return new Promise<boolean>((resolve, reject) => {
      const leave = (): void => {
        this.#waiting.splice(this.#waiting.indexOf(waiting), 1)
        reject(calledOff?.reason as Error)
      }
      const start = (isSlow: boolean): void => {
        calledOff?.removeEventListener('abort', leave)
        resolve(isSlow)
      }
      const waiting = { kind, cluster, start }
      calledOff?.addEventListener('abort', leave, { once: true })
      this.#waiting.push(waiting)
      this.#startNext()
    })
  }

  #noteAnswer(kind: BlockingCallKind, cluster: string): void {
    const before = this.#unanswered.get(cluster) ?? answered
    if (kind === 'request') this.#unanswered.set(cluster, answered)
    if (kind === 'connect') this.#unanswered.set(cluster, { ...before, connects: 0 })
  }

  #noteSilence(kind: BlockingCallKind, cluster: string): void {
    const { connects, requests } = this.#unanswered.get(cluster) ?? answered
    this.#unanswered.set(cluster, {
      connects: connects + Number(kind === 'connect'),
      requests: requests + Number(kind === 'request'),
    })
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

  /** In order; slow ones one at a time, of these the first connects before calls to silent clusters. */
  #takeNext(): Waiting | undefined {
    const first = this.#waiting.findIndex((waiting) => this.#slow === 0 || !this.#isSlow(waiting))
    const candidate = this.#waiting[first]
    if (!candidate) return undefined
    const hopeful =
      this.#unanswered.has(candidate.cluster) && this.#isSlow(candidate)
        ? this.#waiting.findIndex(
            (waiting) => this.#isSlow(waiting) && !this.#unanswered.has(waiting.cluster),
          )
        : -1
    return this.#waiting.splice(hopeful < 0 ? first : hopeful, 1)[0]
  }

  #isSlow({ kind, cluster }: Waiting): boolean {
    if (kind === 'local') return false
    const unanswered = this.#unanswered.get(cluster)
    return unanswered ? isSilent(unanswered) : kind === 'connect'
  }
}

/** The process has one thread pool, so it has one of these. */
export const blockingCalls: BlockingCalls = new BlockingCalls(2)
