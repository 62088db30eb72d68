import { isUnanswered } from './kafka-error.ts'
import { nativeFailure } from './native-failure.ts'

/** `connect` may take seconds while a cluster is away; `request` waits for an answer of the cluster, `local` does not. */
export type BlockingCallKind = 'connect' | 'request' | 'local'

interface Call {
  readonly kind: BlockingCallKind
  readonly cluster: string
}

interface Waiting extends Call {
  readonly start: (running: Running) => void
}

/** `silent`: to a cluster that does not answer. `first`: a connect to one that nobody knows yet. */
type Pace = 'quick' | 'first' | 'silent'

interface Running {
  readonly cluster: string
  readonly pace: Pace
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

/** Lets at most `maxCalls` blocking librdkafka calls run at a time: one to clusters that are silent, one first connect, and of one cluster one
 *  less than all.
 *
 *  Such a call holds one of libuv's four threads, which file access, DNS look-up and with it every new database connection share: four
 *  connects to a dead broker would stop the whole server for as long as they last. Nor must a cluster that is dead, or has just begun to hang,
 *  hold up the connects and commits of the others: a call to it can last for a whole `requestTimeoutMs`, whatever time it was given.
 *
 *  Only silence makes a cluster slow. A refusal is an answer: the other destinations of a cluster that refuses the records of one must not
 *  stand in line with dead clusters. A connect says nothing about requests: brokers answer it while their transaction coordinator is away. */
export class BlockingCalls {
  readonly #maxCalls: number
  readonly #waiting: Waiting[] = []
  readonly #running = new Set<Running>()
  /** Of every cluster that was called. */
  readonly #unanswered = new Map<string, Unanswered>()

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
    const running = await this.#turn(kind, cluster, calledOff)
    try {
      const result = await call()
      this.#noteAnswer(kind, cluster)
      return result
    } catch (error) {
      if (isUnanswered(nativeFailure(error).code)) this.#noteSilence(kind, cluster)
      throw error
    } finally {
      this.#running.delete(running)
      this.#startNext()
    }
  }

  async #turn(
    kind: BlockingCallKind,
    cluster: string,
    calledOff: AbortSignal | undefined,
  ): Promise<Running> {
    calledOff?.throwIfAborted()
    return new Promise<Running>((resolve, reject) => {
      const leave = (): void => {
        this.#waiting.splice(this.#waiting.indexOf(waiting), 1)
        reject(calledOff?.reason as Error)
      }
      const start = (running: Running): void => {
        calledOff?.removeEventListener('abort', leave)
        resolve(running)
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

  /** In order, except those that may not begin yet. */
  #startNext(): void {
    for (;;) {
      const index = this.#waiting.findIndex((waiting) => this.#mayBegin(waiting))
      const [next] = index < 0 ? [] : this.#waiting.splice(index, 1)
      if (!next) return
      const running = { cluster: next.cluster, pace: this.#paceOf(next) }
      this.#running.add(running)
      next.start(running)
    }
  }

  #mayBegin(call: Call): boolean {
    const pace = this.#paceOf(call)
    const running = [...this.#running]
    const ofCluster = running.filter(({ cluster }) => cluster === call.cluster).length
    return (
      running.length < this.#maxCalls &&
      // Whatever hangs, a client can be disconnected.
      (call.kind === 'local' || ofCluster < this.#maxCalls - 1) &&
      (pace === 'quick' || running.every((other) => other.pace !== pace))
    )
  }

  #paceOf({ kind, cluster }: Call): Pace {
    if (kind === 'local') return 'quick'
    const unanswered = this.#unanswered.get(cluster)
    if (unanswered) return isSilent(unanswered) ? 'silent' : 'quick'
    return kind === 'connect' ? 'first' : 'quick'
  }
}

/** The process has one thread pool, so it has one of these. */
export const blockingCalls: BlockingCalls = new BlockingCalls(3)
