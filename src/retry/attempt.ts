import { setTimeout as delay } from 'node:timers/promises'
import { backoffMs } from '../backoff.ts'
import type { QueuedRecord } from './next-record.ts'
import type { Outcome } from './partition-work.ts'
import { nativeRecord, type OutgoingRecord, type RecordHeader, type RecordPlace } from './record.ts'
import type { RetryEvent } from './retry-events.ts'
import { headersOf, type RetryState } from './retry-headers.ts'
import { hashOf, retryPartition } from './retry-partitions.ts'
import { errorClassOf, nextAttemptMs } from './retry-policy.ts'
import type { RetryRoute } from './retry-route.ts'

/** A record as whoever produced it has written it: the same at every attempt, wherever it has waited. Topic, partition and offset name it. */
export interface HandledRecord extends RecordPlace {
  /** Milliseconds since 1970; -1 where it has none. */
  readonly timestampMs: number
  readonly key: Buffer | null
  readonly value: Buffer | null
  readonly headers: readonly RecordHeader[]
}

export interface Attempt {
  /** 1 for the first one. */
  readonly number: number
  /** Begin of the first one. */
  readonly firstSeen: Date
  /** How often the record was sent again from the dead-letter topic. */
  readonly redriveCount: number
  /** Aborted when the partition goes to another consumer or this one stops: what comes of the attempt does not count any more. */
  readonly signal: AbortSignal
  /** Has a record written in the same Kafka transaction that settles this one; not when the handler fails.
   *  @throws {@link TypeError} for a header that is not text */
  readonly send: (record: OutgoingRecord) => void
}

/** Does what is to be done with a record. A rejection is a failed attempt. After a crash, or when the partition goes to another consumer,
 *  an attempt whose end was not settled is made again under the same number: what it does elsewhere must bear that. */
export type RetryHandler = (record: HandledRecord, attempt: Attempt) => Promise<void> | void

/** What is told of a record that was given up. */
export interface GivenUp {
  readonly attempts: number
  readonly firstSeen: Date
  readonly errorClass: string
  readonly error: unknown
  readonly signal: AbortSignal
}

export interface AttemptParts {
  readonly route: RetryRoute
  readonly handler: RetryHandler
  /** For the policy's end `external`. */
  readonly onGivenUp: ((record: HandledRecord, about: GivenUp) => Promise<void> | void) | undefined
  /** Of the retry topic. */
  readonly retryPartitions: () => number
  readonly onEvent: (event: RetryEvent) => void
  readonly onTrouble: (message: string) => void
  readonly nowMs: () => number
  readonly random: () => number
}

/** Has the handler try a record, and says what comes of it. Undefined when it was called off. Never rejects. */
export async function attemptRecord(
  queued: QueuedRecord,
  calledOff: AbortSignal,
  parts: AttemptParts,
): Promise<Outcome | undefined> {
  const { record, state, isMine } = queued
  const { offset } = record
  if (!isMine) return { offset, records: [], settled: () => undefined }
  const { handler, route, nowMs, onEvent } = parts
  const startedMs = nowMs()
  const handled: HandledRecord = {
    ...state.original,
    key: record.key,
    value: record.value,
    headers: state.headers,
  }
  const firstSeenMs = state.firstSeenMs ?? startedMs
  const number = state.failedAttempts + 1
  const records: OutgoingRecord[] = []
  try {
    await handler(handled, {
      number,
      firstSeen: new Date(firstSeenMs),
      redriveCount: state.redriveCount,
      signal: calledOff,
      send: (one) => {
        // Refused here, where the handler can be told.
        nativeRecord(one)
        records.push(one)
      },
    })
  } catch (error) {
    if (calledOff.aborted) return undefined
    const failed = {
      ...state,
      failedAttempts: number,
      firstSeenMs,
      lastAttemptMs: startedMs,
      errorClass: errorClassOf(error),
      group: state.group ?? route.group,
    }
    return outcomeOfFailure({ queued, handled, failed, error, calledOff }, parts)
  }
  const event = { group: route.group, original: placeOf(state), attempt: number }
  return {
    offset,
    // What a handler sends when it has ended comes too late.
    records: [...records],
    settled: () => {
      onEvent({ type: 'processed', ...event })
    },
  }
}

/** The same record behind the others, for this group alone: others read where it stands now. */
export function postponeRecord({ record, state }: QueuedRecord, route: RetryRoute): Outcome {
  const { topic, partition, offset, key, value } = record
  const headers = headersOf({ ...state, group: state.group ?? route.group })
  return {
    offset,
    records: [{ topic, partition, key, value, headers }],
    settled: () => undefined,
  }
}

interface Failure {
  readonly queued: QueuedRecord
  readonly handled: HandledRecord
  readonly failed: RetryState & { readonly firstSeenMs: number; readonly errorClass: string }
  readonly error: unknown
  readonly calledOff: AbortSignal
}

async function outcomeOfFailure(
  failure: Failure,
  parts: AttemptParts,
): Promise<Outcome | undefined> {
  const { queued, failed, error } = failure
  const { route, onEvent, nowMs, random } = parts
  const { offset } = queued.record
  const event = {
    group: route.group,
    original: placeOf(failed),
    attempt: failed.failedAttempts,
    errorClass: failed.errorClass,
    error,
  }
  const notBeforeMs = nextAttemptMs(route.policy, { ...failed, nowMs: nowMs() }, random)
  if (notBeforeMs !== undefined) {
    return {
      offset,
      records: [waiting(queued, { ...failed, notBeforeMs }, parts)],
      settled: () => {
        onEvent({ type: 'retry', notBeforeMs, ...event })
      },
    }
  }
  const { then: end } = route.policy
  if (end === 'external' && !(await isTaken(failure, parts))) return undefined
  return {
    offset,
    records: deadLetters(queued, failed, route),
    settled: () => {
      onEvent({ type: 'dead', end, ...event })
    },
  }
}

function waiting(
  { record }: QueuedRecord,
  state: RetryState,
  { route, retryPartitions }: AttemptParts,
): OutgoingRecord {
  const { key, value } = record
  // A record without a key stays with those of its partition.
  const spread = key === null ? state.original.partition : hashOf(key)
  return {
    topic: route.retryTopic,
    partition: retryPartition(route.policy, state.failedAttempts, retryPartitions(), spread),
    key,
    value,
    headers: headersOf(state),
  }
}

function deadLetters(
  { record }: QueuedRecord,
  failed: RetryState,
  { deadLetterTopic }: RetryRoute,
): OutgoingRecord[] {
  if (deadLetterTopic === undefined) return []
  const { key, value } = record
  return [{ topic: deadLetterTopic, key, value, headers: headersOf({ ...failed, notBeforeMs: 0 }) }]
}

/** Whoever is outside of Kafka has taken the record. Until then the partition waits: there is nowhere else to keep it. */
async function isTaken(
  { handled, failed, error, calledOff }: Failure,
  { onGivenUp, onTrouble, random }: AttemptParts,
): Promise<boolean> {
  const about = {
    attempts: failed.failedAttempts,
    firstSeen: new Date(failed.firstSeenMs),
    errorClass: failed.errorClass,
    error,
    signal: calledOff,
  }
  for (let attempt = 1; !calledOff.aborted; attempt++) {
    try {
      await onGivenUp?.(handled, about)
      return true
    } catch (refusal) {
      onTrouble(`onGivenUp has failed with ${errorClassOf(refusal)} and is called again.`)
      const options = { signal: calledOff }
      await delay(backoffMs(attempt, random), undefined, options).catch(() => undefined)
    }
  }
  return false
}

function placeOf({ original: { topic, partition, offset } }: RetryState): RecordPlace {
  return { topic, partition, offset }
}
