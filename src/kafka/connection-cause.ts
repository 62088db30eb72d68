/** What node-rdkafka emits as `event.log`. `severity` as in syslog: 3 is an error, 6 information. */
export interface RdkafkaLog {
  readonly severity: number
  readonly fac: string
  readonly message: string
}

interface Sentence {
  readonly pattern: RegExp
  readonly say: (broker: string, text: string) => string
}

const sentences: readonly Sentence[] = [
  {
    pattern: /SASL authentication error: (.*)/,
    say: (broker, text) => `Kafka broker ${broker} refused the login: ${text}`,
  },
  {
    pattern: /certificate verify failed/,
    say: (broker) =>
      `The certificate of Kafka broker ${broker} was not signed by a trusted authority, or not for this host name; check sslTruststoreCertificates and bootstrapServers`,
  },
  {
    pattern: /SSL routines::.*alert (.*?certificate.*|unknown ca.*)/,
    say: (broker, text) =>
      `Kafka broker ${broker} refused the client certificate (${text}); check sslKeystoreKey and sslKeystoreCertificateChain`,
  },
  {
    pattern: /PLAINTEXT broker listener/,
    say: (broker) =>
      `Kafka broker ${broker} does not speak TLS on this port; check securityProtocol and the port`,
  },
  {
    pattern: /Failed to resolve '.*?': (.*)/,
    say: (broker, text) => `The host name of Kafka broker ${broker} cannot be resolved: ${text}`,
  },
  {
    pattern: /Connect to .*? failed: (.*)/,
    say: (broker, text) => `Kafka broker ${broker} cannot be reached: ${text}`,
  },
  {
    pattern: /^Disconnected/,
    say: (broker) =>
      `Kafka broker ${broker} closed the connection; check that securityProtocol fits this listener`,
  },
]

/** librdkafka's name for whichever broker coordinates the transactions. */
const coordinator = 'TxnCoordinator'

function coordinatorAddress(text: string): string {
  return /Connect to ipv[46]#(\S+) failed/.exec(text)?.[1] ?? 'that coordinates the transactions'
}

/** Says in one sentence why a connection failed, or undefined for log lines that are no cause. A wrong password or an untrusted
 *  certificate shows up in this log only: the calls themselves just time out.
 *  @param isConnected brokers close idle connections, which is a cause only for a producer that never came up */
export function connectionCause(log: RdkafkaLog, isConnected: boolean): string | undefined {
  if (log.fac !== 'FAIL' || (isConnected && log.severity > 4)) return undefined
  const line = /^(?:\[thrd:.*?\]: )?(?:\w+:\/\/)?(\S+?)(?:\/\w+)?: (.*?)(?: \(after .*\))?$/.exec(
    log.message.trim(),
  )
  const [, name = 'unknown', text = log.message] = line ?? []
  const broker = name === coordinator ? coordinatorAddress(text) : name
  for (const { pattern, say } of sentences) {
    const match = pattern.exec(text)
    if (match) return `${say(broker, match[1] ?? '')}.`
  }
  return `Kafka broker ${broker}: ${text}.`
}

const quietMs = 60_000

/** Passes a cause on, the same text at most once a minute: librdkafka repeats it with every attempt. */
export class CauseReporter {
  readonly #onError: (message: string) => void
  readonly #nowMs: () => number
  readonly #reportedAtMs = new Map<string, number>()
  #last: string | undefined

  constructor(onError: (message: string) => void, nowMs: () => number = () => performance.now()) {
    this.#onError = onError
    this.#nowMs = nowMs
  }

  /** The latest cause since the last {@link CauseReporter.forget}. */
  get last(): string | undefined {
    return this.#last
  }

  report(message: string): void {
    this.#last = message
    const nowMs = this.#nowMs()
    for (const [text, atMs] of this.#reportedAtMs) {
      if (nowMs - atMs >= quietMs) this.#reportedAtMs.delete(text)
    }
    if (this.#reportedAtMs.has(message)) return
    this.#reportedAtMs.set(message, nowMs)
    this.#onError(message)
  }

  /** The connection is up: what was wrong before explains nothing any more. */
  forget(): void {
    this.#last = undefined
  }
}
