import { isUnanswered } from './kafka-error.ts'
import { nativeFailure } from './native-failure.ts'

/** What a call waits for: `connect` until a cluster is reached, `request` for an answer of it, `checkpoint` too, but without regard to the time it was
 *  given, `lookup` for the resolver of the system, `end` for the threads of a client, which may be in the resolver, `local` for nobody. */
export type BlockingCallKind = 'connect' | 'request' | 'checkpoint' | 'lookup' | 'end' | 'local'

interface Call {
  readonly kind: BlockingCallKind
  readonly cluster: string
}

interface Waiting extends Call {
  readonly start: (running: Running) => void
}

/** `silent`: to a cluster that does not answer. `first`: a connect to one that nobody knows yet. */
type Pace = 'quick' | 'first' | 'silent'

interface Running extends Call {
  readonly pace: Pace
  /** Since then it has lasted longer than any call is given. */
  overdueAtMs?: number
  overdue?: NodeJS.Timeout
}

/** What a cluster has answered. */
interface Answers {
  /** Attempts to connect in a row that it has not answered. */
  readonly unansweredConnects: number
  /** Requests in a row that it has not answered. */
  readonly unansweredRequests: number
  /** When it answered a request last. */
  readonly answeredAtMs: number
}

const none: Answers = {
  unansweredConnects: 0,
  unansweredRequests: 0,
  answeredAtMs: Number.NEGATIVE_INFINITY,
}

/** One request may be nothing: an abort after a refused record never ends within its slice. */
function isSilent({ unansweredConnects, unansweredRequests }: Answers): boolean {
  return unansweredConnects > 0 || unansweredRequests > 1
}

/** Longer than any call that librdkafka keeps the time of. */
const overdueAfterMs = 3000
/** For so long an answer shows that the next one will come. */
const answerCountsMs = 10_000
const maxKnown = 10_000

/** Lets at most `maxCalls` blocking librdkafka calls run at a time: one to clusters that are silent, one first connect, one look-up, and of one
 *  cluster one less than all.
 *
 *  Such a call holds one of libuv's four threads, which file access, DNS look-up and with it every new database connection share: four
 *  connects to a dead broker would stop the whole server for as long as they last. Nor must a cluster that is dead, or has just begun to hang,
 *  hold up the connects and commits of the others.
 *
 *  Only silence makes a cluster slow. A refusal is an answer: the other destinations of a cluster that refuses the records of one must not
 *  stand in line with dead clusters. A connect says nothing about requests: brokers answer it while their transaction coordinator is away.
 *
 *  A checkpoint can hang for as long as the coordinator hangs, or refuses the login: for ever. Nothing ends such a call, so there is one for a cluster,
 *  and a second one when the cluster has answered others since that one hangs: librdkafka can also miss that the coordinator is there. One
 *  place is kept free of checkpoints. While those that hang hold all others, it is open to clusters that have answered since. What hangs is
 *  not waited for: its cluster is silent, and another one that is silent has its turn.
 *
 *  A resolver that does not answer keeps a client from its end for half a minute. So those of clusters that do not answer end one by one. */
export class BlockingCalls {
  readonly #maxCalls: number
  readonly #nowMs: () => number
  readonly #waiting: Waiting[] = []
  readonly #running = new Set<Running>()
  readonly #onIdle: (() => void)[] = []
  /** Of the clusters that were called last. Each secret of a cluster is one more, also for a preflight. */
  readonly #answers = new Map<string, Answers>()

  constructor(maxCalls: number, nowMs: () => number = () => performance.now()) {
    this.#maxCalls = maxCalls
    this.#nowMs = nowMs
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
      clearTimeout(running.overdue)
      this.#running.delete(running)
      this.#startNext()
      if (!this.areRunning) for (const tell of this.#onIdle.splice(0)) tell()
    }
  }

  /** Whether one has begun and not ended. */
  get areRunning(): boolean {
    return this.#running.size > 0
  }

  /** Resolves once none is running, nor waits for its turn. */
  async idle(): Promise<void> {
    if (!this.areRunning) return
    await new Promise<void>((resolve) => {
      this.#onIdle.push(resolve)
    })
  }

  /** It has answered, or has not, when it was called. */
  isKnown(cluster: string): boolean {
    return this.#answers.has(cluster)
  }

  /** It has answered what it was asked last. */
  isAnswering(cluster: string): boolean {
    const answers = this.#answers.get(cluster)
    return answers !== undefined && !isSilent(answers)
  }

  /** An attempt to connect has failed, which can be of many calls. */
  noteUnreachable(cluster: string): void {
    this.#note(cluster, { unansweredConnects: 1 })
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

  #note(cluster: string, news: Partial<Answers>): void {
    const before = this.#answers.get(cluster) ?? none
    this.#answers.delete(cluster)
    const [oldest] = this.#answers.size < maxKnown ? [] : this.#answers.keys()
    if (oldest !== undefined) this.#answers.delete(oldest)
    this.#answers.set(cluster, { ...before, ...news })
  }

  #noteAnswer(kind: BlockingCallKind, cluster: string): void {
    if (kind === 'connect') this.#note(cluster, { unansweredConnects: 0 })
    if (!isRequest(kind)) return
    this.#note(cluster, {
      unansweredConnects: 0,
      unansweredRequests: 0,
      answeredAtMs: this.#nowMs(),
    })
  }

  #noteSilence(kind: BlockingCallKind, cluster: string): void {
    const before = this.#answers.get(cluster)
    // A connect comes in slices. One of them says nothing of a cluster that has answered before.
    if (kind === 'connect' && !before) this.noteUnreachable(cluster)
    if (!isRequest(kind)) return
    this.#note(cluster, { unansweredRequests: (before ?? none).unansweredRequests + 1 })
  }

  #noteOverdue(running: Running): void {
    running.overdueAtMs = this.#nowMs()
    this.#note(running.cluster, { unansweredRequests: Number.POSITIVE_INFINITY })
    this.#startNext()
  }

  /** In order, except those that may not begin yet. */
  #startNext(): void {
    for (;;) {
      const index = this.#waiting.findIndex((waiting) => this.#mayBegin(waiting))
      const [next] = index < 0 ? [] : this.#waiting.splice(index, 1)
      if (!next) return
      const { kind, cluster } = next
      const running: Running = { kind, cluster, pace: this.#paceOf(next) }
      if (kind === 'connect' || isRequest(kind)) {
        running.overdue = setTimeout(() => {
          this.#noteOverdue(running)
        }, overdueAfterMs)
        running.overdue.unref()
      }
      this.#running.add(running)
      next.start(running)
    }
  }

  #mayBegin(call: Call): boolean {
    const running = [...this.#running]
    if (running.length >= this.#maxCalls) return false
    if (call.kind === 'local') return true
    // Whatever else hangs, a client can be disconnected.
    if (call.kind === 'end') return this.#mayEnd(call.cluster, running)
    const ofCluster = running.filter(
      (other) => other.cluster === call.cluster && !isLeftToItself(other),
    )
    if (ofCluster.length >= this.#maxCalls - 1) return false
    const pace = this.#paceOf(call)
    const isInFront = (other: Running): boolean => other.pace === pace && !isOverdue(other)
    if (pace !== 'quick' && running.some(isInFront)) return false
    const ofKind = running.filter(({ kind }) => kind === call.kind)
    if (call.kind === 'lookup') return ofKind.length === 0
    return call.kind !== 'checkpoint' || this.#mayCheckpoint(call.cluster, pace, ofKind)
  }

  #mayEnd(cluster: string, running: readonly Running[]): boolean {
    if (this.isAnswering(cluster)) return true
    return !running.some((other) => other.kind === 'end' && !this.isAnswering(other.cluster))
  }

  #mayCheckpoint(cluster: string, pace: Pace, others: readonly Running[]): boolean {
    if (others.length === 0) return true
    const { answeredAtMs } = this.#answers.get(cluster) ?? none
    const hasAnsweredSince = ({ overdueAtMs = Number.POSITIVE_INFINITY }: Running): boolean =>
      answeredAtMs > overdueAtMs
    const ofCluster = others.filter((other) => other.cluster === cluster)
    if (pace === 'silent' || ofCluster.length > 1 || !ofCluster.every(hasAnsweredSince))
      return false
    if (others.length < this.#maxCalls - 1) return true
    const hasAnswered = answeredAtMs > this.#nowMs() - answerCountsMs
    return ofCluster.length === 0 && hasAnswered && others.every(hasAnsweredSince)
  }

  #paceOf({ kind, cluster }: Call): Pace {
    if (kind === 'local' || kind === 'lookup' || kind === 'end') return 'quick'
    const answers = this.#answers.get(cluster)
    if (answers) return isSilent(answers) ? 'silent' : 'quick'
    return kind === 'connect' ? 'first' : 'quick'
  }
}

function isOverdue({ overdueAtMs }: Running): boolean {
  return overdueAtMs !== undefined
}

/** It hangs, and keeps nothing else of its cluster from its turn. */
function isLeftToItself(running: Running): boolean {
  return running.kind === 'checkpoint' && isOverdue(running)
}

function isRequest(kind: BlockingCallKind): boolean {
  return kind === 'request' || kind === 'checkpoint'
}

/** The process has one thread pool, so it has one of these. */
export const blockingCalls: BlockingCalls = new BlockingCalls(3)
