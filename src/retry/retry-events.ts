import { channel } from 'node:diagnostics_channel'
import type { RecordPlace } from './record.ts'

interface Attempted {
  readonly group: string
  /** Where the record stood first. */
  readonly original: RecordPlace
  /** Number of this attempt, 1 for the first one. */
  readonly attempt: number
}

interface Failed extends Attempted {
  readonly errorClass: string
  /** What the handler threw. It may hold data of the record, and goes nowhere but here. */
  readonly error: unknown
}

/** What a retrying consumer tells. Of a record, when its Kafka transaction is committed. */
export type RetryEvent =
  | ({ readonly type: 'processed' } & Attempted)
  | ({ readonly type: 'retry'; readonly notBeforeMs: number } & Failed)
  /** Given up, and where it went: to the dead-letter topic, to `onGivenUp`, nowhere. */
  | ({ readonly type: 'dead'; readonly end: 'deadLetter' | 'external' | 'drop' } & Failed)
  | {
      readonly type: 'assigned' | 'revoked'
      readonly group: string
      readonly partitions: readonly Omit<RecordPlace, 'offset'>[]
    }
  /** Something that is tried again: Kafka cannot be reached, or has refused a transaction. In words, without data of records. */
  | { readonly type: 'trouble'; readonly group: string; readonly message: string }

/** Name of the channel of `node:diagnostics_channel` that every {@link RetryEvent} is published on. */
export const retryChannelName = 'fhir-kafka:retry'

const retryChannel = channel(retryChannelName)

/** Tells the channel and the callback. */
export function eventSink(
  onEvent: ((event: RetryEvent) => void) | undefined,
): (event: RetryEvent) => void {
  return (event) => {
    if (retryChannel.hasSubscribers) retryChannel.publish(event)
    onEvent?.(event)
  }
}
