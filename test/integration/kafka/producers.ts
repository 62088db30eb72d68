import type { TestContext } from 'node:test'
import { checkpointPlace } from '../../../src/kafka/checkpoint-place.ts'
import type { KafkaParameterValues } from '../../../src/kafka/parameter-table.ts'
import { toProducerConfig } from '../../../src/kafka/producer-config.ts'
import type { IdempotentProducer, KafkaRecord, PageProducer } from '../../../src/kafka/producer.ts'
import { createIdempotentProducer } from '../../../src/kafka/rdkafka-idempotent-producer.ts'
import { createPageProducer } from '../../../src/kafka/rdkafka-page-producer.ts'
import { createTransactionalProducer } from '../../../src/kafka/rdkafka-transactional-producer.ts'
import { silentLogger } from '../../../src/observability/logger.ts'

/** Causes told outside a call; `until` waits for one that matches. */
export class Causes {
  readonly heard: string[] = []
  #wake: () => void = () => undefined

  readonly onError = (message: string): void => {
    this.heard.push(message)
    this.#wake()
  }

  async until(pattern: RegExp, timeoutMs = 30_000): Promise<string> {
    const deadlineMs = performance.now() + timeoutMs
    for (;;) {
      const found = this.heard.find((message) => pattern.test(message))
      if (found !== undefined) return found
      const leftMs = deadlineMs - performance.now()
      if (leftMs <= 0) throw new Error(`${pattern} was not among: ${this.heard.join(' | ')}`)
      await new Promise<void>((resolve) => {
        const timer = setTimeout(resolve, leftMs)
        this.#wake = () => {
          clearTimeout(timer)
          resolve()
        }
      })
    }
  }
}

/** Not yet started; closed after the test. */
export function transactionalProducer(
  t: TestContext,
  values: KafkaParameterValues,
  transactionalId: string,
  causes: Causes = new Causes(),
  checkpointTopic?: string,
): PageProducer {
  const config = toProducerConfig(values, 'at-least-once', transactionalId)
  const checkpoint = checkpointPlace(transactionalId, values.kafkaTopic, checkpointTopic)
  const producer = createTransactionalProducer(config, silentLogger, {
    onError: causes.onError,
    checkpoint,
  })
  t.after(() => producer.close(5000))
  return producer
}

/** Without transactions. Not yet started; closed after the test. */
export function plainPageProducer(
  t: TestContext,
  values: KafkaParameterValues,
  causes: Causes = new Causes(),
): PageProducer {
  const config = toProducerConfig(values, 'at-least-once')
  const producer = createPageProducer(config, silentLogger, causes)
  t.after(() => producer.close(5000))
  return producer
}

export function idempotentProducer(
  t: TestContext,
  values: KafkaParameterValues,
  causes: Causes = new Causes(),
): IdempotentProducer {
  const producer = createIdempotentProducer(
    toProducerConfig(values, 'best-effort'),
    silentLogger,
    causes,
  )
  t.after(() => producer.close(0))
  return producer
}

/** Resolves when the broker has acknowledged, rejects with the error that settled the record. */
export async function sent(
  producer: Pick<IdempotentProducer, 'send'>,
  record: KafkaRecord,
): Promise<void> {
  await new Promise<void>((resolve, reject) => {
    producer.send(record, (error) => {
      if (error) reject(error)
      else resolve()
    })
  })
}
