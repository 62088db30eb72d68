import { createHash } from 'node:crypto'
import type { Logger } from '../observability/logger.ts'
import type { ProducerConfig } from './producer-config.ts'
import type { IdempotentProducer, ProducerOptions } from './producer.ts'
import { createIdempotentProducer } from './rdkafka-idempotent-producer.ts'

export interface ProducerLease {
  readonly producer: Pick<IdempotentProducer, 'send'>
  /** Gives the producer back; with the last lease it is closed: outstanding records have `timeoutMs`. Repeated calls do nothing. */
  release(timeoutMs: number): Promise<void>
}

interface Shared {
  readonly producer: IdempotentProducer
  readonly listeners: Set<ProducerOptions>
}

/** One producer for all destinations of the same configuration, secrets included: a producer costs five threads and ten file
 *  descriptors, and its threads grow with the brokers. */
export class ProducerPool {
  readonly #create: typeof createIdempotentProducer
  readonly #shared = new Map<string, Shared>()
  /** Without a lease, sending what they still have. */
  readonly #closing = new Set<IdempotentProducer>()

  constructor(create: typeof createIdempotentProducer = createIdempotentProducer) {
    this.#create = create
  }

  /** Producers that are shared now. */
  get size(): number {
    return this.#shared.size
  }

  acquire(config: ProducerConfig, logger: Logger, options: ProducerOptions = {}): ProducerLease {
    const key = hashOf(config)
    const shared = this.#shared.get(key) ?? this.#open(key, config, logger)
    // Two leases may come with the same options object.
    const listener = { ...options }
    shared.listeners.add(listener)
    return {
      producer: shared.producer,
      release: async (timeoutMs) => {
        if (!shared.listeners.delete(listener) || shared.listeners.size > 0) return
        if (this.#shared.get(key) === shared) this.#shared.delete(key)
        await this.#end(shared.producer, timeoutMs)
      },
    }
  }

  /** Closes every producer, whoever holds a lease, and those that are closing already. */
  async close(timeoutMs: number): Promise<void> {
    const all = [...[...this.#shared.values()].map(({ producer }) => producer), ...this.#closing]
    this.#shared.clear()
    await Promise.all(all.map((producer) => this.#end(producer, timeoutMs)))
  }

  async #end(producer: IdempotentProducer, timeoutMs: number): Promise<void> {
    this.#closing.add(producer)
    await producer.close(timeoutMs)
    this.#closing.delete(producer)
  }

  #open(key: string, config: ProducerConfig, logger: Logger): Shared {
    const listeners = new Set<ProducerOptions>()
    const onError: ProducerOptions['onError'] = (message, cause) => {
      for (const listener of listeners) listener.onError?.(message, cause)
    }
    const shared = { producer: this.#create(config, logger, { onError }), listeners }
    this.#shared.set(key, shared)
    return shared
  }
}

/** The hash holds the secrets, the map does not. */
function hashOf(config: ProducerConfig): string {
  const sorted = (record: object): unknown =>
    Object.entries(record).toSorted(([a], [b]) => (a < b ? -1 : 1))
  const { global, topic, ...own } = config
  const canonical = JSON.stringify([sorted(global), sorted(topic), sorted(own)])
  return createHash('sha256').update(canonical).digest('hex')
}
