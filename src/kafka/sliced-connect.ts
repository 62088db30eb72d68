/** Begins a call of node-rdkafka. Without an error its callback gets null or nothing, whatever the types say. */
export type NativeCall<Result> = (done: (error: unknown, result?: Result) => void) => void

type Done = (error: unknown, result?: unknown) => void

/** The part of a node-rdkafka client that connecting needs. */
export interface ConnectableClient {
  connect(options: { readonly timeout: number }, done: Done): unknown
  getMetadata(options: { readonly timeout: number }, done: Done): unknown
  /** The native client. */
  getClient(): { disconnect: (ended: () => void) => unknown }
}

/** The connect of a node-rdkafka client in parts that can be made one by one.
 *
 *  node-rdkafka makes the client, from when on librdkafka connects by itself in threads of its own and logs what is wrong, and then asks for metadata: in one call that
 *  holds a thread of libuv until a broker answers. It asks by a public method, so here the question is put off, and asked as often and as long as the caller likes. */
export class SlicedConnect {
  readonly #client: ConnectableClient
  readonly #ask: ConnectableClient['getMetadata']
  #answer: Done | undefined

  constructor(client: ConnectableClient) {
    this.#client = client
    this.#ask = client.getMetadata.bind(client)
  }

  /** Makes the client. Then {@link conclude} must follow, or {@link fail}. */
  make(done: Done): void {
    this.#client.getMetadata = (_options, answer) => {
      this.#client.getMetadata = this.#ask
      this.#answer = answer
      done(undefined)
    }
    // The time is that of the metadata.
    this.#client.connect({ timeout: 0 }, (error) => {
      if (!this.#answer) done(error)
    })
  }

  /** Waits for metadata, which come when a broker is connected. */
  ask(timeoutMs: number, done: Done): void {
    this.#ask({ timeout: timeoutMs }, done)
  }

  /** @param metadata as they came */
  conclude(metadata: unknown): void {
    this.#answer?.(null, metadata)
  }

  /** Disconnects. Done when the client has ended: node-rdkafka waits for that no longer than 10 s, and its thread is held for as long as it takes. */
  fail(error: unknown, done: Done): void {
    const native = this.#client.getClient()
    const disconnect = native.disconnect.bind(native)
    native.disconnect = (ended) =>
      disconnect(() => {
        ended()
        done(undefined)
      })
    this.#answer?.(error)
  }
}
