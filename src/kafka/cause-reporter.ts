import { causeOfCode, type KafkaCause } from './kafka-causes.ts'
import type { NativeError } from './native-failure.ts'

const quietMs = 60_000

/** Passes causes on, the same text at most once a minute: librdkafka repeats it with every attempt. */
export class CauseReporter {
  readonly #onCause: (cause: KafkaCause) => void
  readonly #nowMs: () => number
  readonly #reportedAtMs = new Map<string, number>()
  #last: string | undefined

  constructor(onCause: (cause: KafkaCause) => void, nowMs: () => number = () => performance.now()) {
    this.#onCause = onCause
    this.#nowMs = nowMs
  }

  /** The latest cause of trouble with the connection since the last {@link CauseReporter.forget}. */
  get last(): string | undefined {
    return this.#last
  }

  /** Of the connection: it explains what fails from now on. */
  report(cause: KafkaCause): void {
    this.#last = cause.message
    this.inform(cause)
  }

  /** Where nothing more exact is known: the log of librdkafka says more than its codes. */
  reportUnlessKnown(cause: KafkaCause): void {
    if (this.#last === undefined) this.report(cause)
  }

  /** Why a call has failed, in words.
   *  @param text librdkafka's own words, used where the code says nothing */
  explained({ code, text }: NativeError): string {
    return this.#last ?? causeOfCode(code, text).message
  }

  /** Explains no failure of others: about one topic, or no failure at all. */
  inform(cause: KafkaCause): void {
    const nowMs = this.#nowMs()
    for (const [text, atMs] of this.#reportedAtMs) {
      if (nowMs - atMs >= quietMs) this.#reportedAtMs.delete(text)
    }
    if (this.#reportedAtMs.has(cause.message)) return
    this.#reportedAtMs.set(cause.message, nowMs)
    this.#onCause(cause)
  }

  /** The connection is up: what was wrong before explains nothing any more. */
  forget(): void {
    this.#last = undefined
  }
}
