import type { ServerResponse } from 'node:http'

/** Shorter than the idle time of the usual proxies. */
const pingMs = 15_000
/** The client asks again then, so that whatever stands in front of the console looks again who it is. */
const maxPings = 20
const maxUnreadBytes = 1024 * 1024

/** Server-sent events on one response, beside the headers that it has. A client that does not read is cut rather than written to without end. */
export class EventStream {
  readonly #response: ServerResponse
  readonly #ping: NodeJS.Timeout
  readonly #ends: (() => void)[] = []
  /** Id of the events that are sent from now on: what a client that connects again has in `Last-Event-ID`. Pings carry it to one for which nothing comes. */
  position: string | undefined
  #pings = 0
  #isEnded = false

  /** @param onPing rejects or answers false when the client may not listen any more */
  constructor(response: ServerResponse, onPing: () => Promise<boolean>) {
    this.#response = response
    response.writeHead(200, {
      'content-type': 'text/event-stream; charset=utf-8',
      // What compresses answers would wait for the end of this one.
      'cache-control': 'no-store, no-transform',
      // nginx would keep events back.
      'x-accel-buffering': 'no',
    })
    response.write('retry: 2000\n\n')
    this.#ping = setInterval(() => {
      void this.#pingOnce(onPing)
    }, pingMs)
    // Who has gone while we looked who it is closes nothing any more.
    if (response.destroyed) this.end()
    else {
      response.once('close', () => {
        this.end()
      })
    }
  }

  /** Whether the client has not read yet what was sent. */
  get isBehind(): boolean {
    return this.#response.writableNeedDrain
  }

  /** Called once, when the stream ends. */
  onEnd(callback: () => void): void {
    if (this.#isEnded) callback()
    else this.#ends.push(callback)
  }

  /** @param json one line */
  send(event: string, json: string): void {
    const id = this.position === undefined ? '' : `id: ${this.position}\n`
    this.#write(`${id}event: ${event}\ndata: ${json}\n\n`)
  }

  end(): void {
    if (this.#isEnded) return
    this.#isEnded = true
    clearInterval(this.#ping)
    this.#response.end()
    for (const callback of this.#ends) callback()
  }

  async #pingOnce(onPing: () => Promise<boolean>): Promise<void> {
    const isLast = ++this.#pings >= maxPings
    const mayGoOn = await onPing().catch(() => false)
    if (mayGoOn && !isLast) {
      this.send('ping', '{}')
      return
    }
    if (mayGoOn) this.send('again', '{}')
    this.end()
  }

  #write(text: string): void {
    if (this.#isEnded) return
    if (this.#response.writableLength > maxUnreadBytes) {
      this.#response.destroy()
      return
    }
    this.#response.write(text)
  }
}
