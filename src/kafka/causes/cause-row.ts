import type { KafkaParameterName } from '../parameter-table.ts'

/** What a cause is told about. */
export interface CauseContext {
  /** `host:port` */
  readonly broker?: string | undefined
  readonly kafkaTopic?: string | undefined
  readonly transactionalId?: string | undefined
  /** What librdkafka, OpenSSL or the broker adds. */
  readonly detail?: string | undefined
}

/** The context in words that fit into a sentence. */
export interface Words {
  readonly broker: string
  readonly topic: string
  readonly id: string
  /** Without what leads to it; empty when there is none. */
  readonly detail: string
}

export interface CauseRow {
  /** Error codes: negative ones are librdkafka's own, the others are Kafka's. */
  readonly codes?: readonly number[]
  /** What librdkafka logs about a connection; the first group is the detail. */
  readonly log?: RegExp
  /** Codes of Node's TLS when it verifies the same certificate. */
  readonly tls?: readonly string[]
  /** Where to look first. */
  readonly parameter: KafkaParameterName
  /** FHIR issue type. */
  readonly issue:
    | 'login'
    | 'security'
    | 'forbidden'
    | 'not-found'
    | 'value'
    | 'too-long'
    | 'timeout'
    | 'transient'
    | 'throttled'
    | 'conflict'
    | 'business-rule'
  readonly say: (words: Words) => string
  /** What to do about it, in Markdown. */
  readonly remedy: string
}
