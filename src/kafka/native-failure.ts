import type { LibrdKafkaError } from 'node-rdkafka'
import { codeOfReport } from './rdkafka-binding.ts'

/** A failure as librdkafka tells it. In delivery reports only `text` is its own, `code` is looked up. */
export interface NativeError {
  readonly code: number | undefined
  readonly text: string
  readonly isFatal: boolean
  readonly isRetriable: boolean
  readonly requiresAbort: boolean
}

/** Thrown where node-rdkafka is called; callers turn it into a KafkaError with words for an operator. */
export class NativeFailure extends Error implements NativeError {
  override readonly name: string = 'NativeFailure'
  readonly code: number | undefined
  readonly text: string
  readonly isFatal: boolean
  readonly isRetriable: boolean
  readonly requiresAbort: boolean

  constructor(error: NativeError) {
    super(error.text)
    this.code = error.code
    this.text = error.text
    this.isFatal = error.isFatal
    this.isRetriable = error.isRetriable
    this.requiresAbort = error.requiresAbort
  }
}

export function nativeFailure(error: unknown): NativeFailure {
  return error instanceof NativeFailure ? error : new NativeFailure(nativeError(error))
}

export function nativeError(error: unknown): NativeError {
  const raw: Partial<LibrdKafkaError> =
    typeof error === 'object' && error !== null ? error : { message: String(error) }
  const text = raw.message ?? 'unknown error'
  return {
    // -1 is node-rdkafka's "no code".
    code: typeof raw.code !== 'number' || raw.code === -1 ? codeOfReport(text) : raw.code,
    text,
    isFatal: raw.isFatal === true,
    isRetriable: raw.isRetriable === true,
    requiresAbort: raw.isTxnRequiresAbort === true,
  }
}
