import { setTimeout as delay } from 'node:timers/promises'
import { endsWithin } from '../deadline.ts'
import { Limit } from '../limit.ts'
import { blockingCalls, type BlockingCallKind } from './blocking-calls.ts'
import { connectionKey } from './connection-key.ts'
import { isUnanswered } from './kafka-error.ts'
import { nativeFailure } from './native-failure.ts'
import type { ProducerConfig } from './producer-config.ts'
import { SlicedConnect, type ConnectableClient, type NativeCall } from './sliced-connect.ts'
import { ClientLogin, type TokenClient } from './tokens/client-login.ts'

/** Enough for a cluster that is near. Each further slice is twice as long, and librdkafka goes on connecting between them. */
const firstSliceMs = 100

/** Each has threads and sockets, also while its cluster is away. Those of clusters that answer do not count. */
const connectingClients = new Limit(64)

/** The blocking calls of one node-rdkafka client, each in its turn, and its login by token, which is renewed between them. */
export class NativeCalls {
  readonly #client: ConnectableClient
  readonly #connectionKey: string
  readonly #login: ClientLogin | undefined
  #ended: Promise<unknown> | undefined

  /** @param onTokenFailure gets in words why there is no new token */
  constructor(
    client: ConnectableClient & TokenClient,
    config: ProducerConfig,
    onTokenFailure: (message: string) => void,
  ) {
    this.#client = client
    this.#connectionKey = connectionKey(config)
    this.#login = config.tokens && new ClientLogin(client, config.tokens, onTokenFailure)
  }

  /** When it rejects, the client is dead.
   *  @param timeoutMs of the attempt, without the time in which it waits for its turns
   *  @param calledOff ends it at once, unless a call is under way, which ends first
   *  @param isTroubled whether something is known to be wrong: then the time in which it waits for its turns counts, too
   *  @throws {@link NativeFailure}, {@link TokenFailure}, or the reason why it was called off */
  async connect(
    timeoutMs: number,
    calledOff: AbortSignal,
    isTroubled: () => boolean = () => false,
  ): Promise<void> {
    try {
      await this.#login?.begin(calledOff)
      const connect = async (): Promise<void> => this.#connect(timeoutMs, calledOff, isTroubled)
      await (blockingCalls.isAnswering(this.#connectionKey)
        ? connect()
        : // Whoever is new does not wait for those that have failed before.
          connectingClients.run(connect, calledOff, !blockingCalls.isKnown(this.#connectionKey)))
    } catch (error) {
      this.#login?.end()
      throw error
    }
  }

  async #connect(
    timeoutMs: number,
    calledOff: AbortSignal,
    isTroubled: () => boolean,
  ): Promise<void> {
    const connect = new SlicedConnect(this.#client)
    await this.run(
      'local',
      (done) => {
        connect.make(done)
      },
      calledOff,
    )
    try {
      const endsAtMs = performance.now() + timeoutMs
      const isOver = (): boolean => isTroubled() && performance.now() >= endsAtMs
      connect.conclude(await this.#metadata(connect, timeoutMs, calledOff, isOver))
    } catch (error) {
      if (!calledOff.aborted && isUnanswered(nativeFailure(error).code)) {
        blockingCalls.noteUnreachable(this.#connectionKey)
      }
      await this.run('end', (done) => {
        connect.fail(error, done)
      })
      throw error
    }
  }

  async #metadata(
    connect: SlicedConnect,
    timeoutMs: number,
    calledOff: AbortSignal,
    isOver: () => boolean,
  ): Promise<unknown> {
    let leftMs = timeoutMs
    for (let sliceMs = firstSliceMs; ; sliceMs *= 2) {
      const askedMs = Math.ceil(Math.min(sliceMs, leftMs))
      leftMs -= askedMs
      try {
        return await this.run(
          'connect',
          (done) => {
            connect.ask(askedMs, done)
          },
          calledOff,
        )
      } catch (error) {
        const isAnswered = !isUnanswered(nativeFailure(error).code)
        if (calledOff.aborted || leftMs <= 0 || isAnswered || isOver()) throw error
      }
      const pauseMs = Math.min(sliceMs, leftMs / 2)
      leftMs -= pauseMs
      await delay(pauseMs, undefined, { signal: calledOff }).catch(() => undefined)
      calledOff.throwIfAborted()
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

  /** Leaves to itself what has not ended after `timeoutMs`. A second call waits for the first one. Never rejects. */
  async disconnect(call: (done: () => void) => void, timeoutMs: number): Promise<void> {
    this.endLogin()
    // It has its place until it has ended, however long that takes.
    this.#ended ??= this.run('end', (done) => {
      call(() => {
        done(undefined)
      })
    })
    await endsWithin(this.#ended, timeoutMs)
  }

  /** No token is wanted any more. */
  endLogin(): void {
    this.#login?.end()
  }
}
