import { blockingCalls, type BlockingCallKind } from './blocking-calls.ts'
import { connectionKey } from './connection-key.ts'
import { nativeFailure } from './native-failure.ts'
import type { ProducerConfig } from './producer-config.ts'
import { ClientLogin, type TokenClient } from './tokens/client-login.ts'

/** Begins a call of node-rdkafka. Without an error its callback gets null or nothing, whatever the types say. */
export type NativeCall<Result> = (done: (error: unknown, result?: Result) => void) => void

/** The blocking calls of one node-rdkafka client, each in its turn, and its login by token, which is renewed between them. */
export class NativeCalls {
  readonly #connectionKey: string
  readonly #login: ClientLogin | undefined

  /** @param onTokenFailure gets in words why there is no new token */
  constructor(
    client: TokenClient,
    config: ProducerConfig,
    onTokenFailure: (message: string) => void,
  ) {
    this.#connectionKey = connectionKey(config)
    this.#login = config.tokens && new ClientLogin(client, config.tokens, onTokenFailure)
  }

  /** When it rejects, the client is dead.
   *  @param calledOff ends the wait for a token and for its turn
   *  @throws {@link NativeFailure} or {@link TokenFailure} */
  async connect(call: NativeCall<unknown>, calledOff: AbortSignal): Promise<void> {
    try {
      await this.#login?.begin(calledOff)
      await this.run('connect', call, calledOff)
    } catch (error) {
      this.#login?.end()
      throw error
    }
  }

  /** @param calledOff ends the wait for its turn
   *  @throws {@link NativeFailure} */
  async run<Result = unknown>(
    kind: BlockingCallKind,
    call: NativeCall<Result>,
    calledOff?: AbortSignal,
  ): Promise<Result> {
    const begun = (): Promise<Result> =>
      new Promise((resolve, reject) => {
        call((error, result) => {
          if (error) reject(nativeFailure(error))
          else resolve(result as Result)
        })
      })
    return blockingCalls.run(
      kind,
      this.#connectionKey,
      () => (this.#login ? this.#login.during(begun) : begun()),
      calledOff,
    )
  }

  /** Gives up after `timeoutMs` what never comes back. Never rejects. */
  async disconnect(call: (done: () => void) => void, timeoutMs: number): Promise<void> {
    this.endLogin()
    await this.run('local', (done) => {
      const timer = setTimeout(done, timeoutMs)
      call(() => {
        clearTimeout(timer)
        done(undefined)
      })
    })
  }

  /** No token is wanted any more. */
  endLogin(): void {
    this.#login?.end()
  }
}
