import { isHeaderText, type RecordHeader, type RecordPlace, type SourceRecord } from './record.ts'

/** Every header that a record gets with which it waits or is dead. The table in docs/topology.md is this one. Times are ISO 8601 in UTC. */
export const retryHeaders = {
  'x-original-topic': 'Topic that the record was written to.',
  'x-original-partition': 'Its partition there.',
  'x-original-offset': 'Its offset there.',
  'x-original-timestamp': 'Its timestamp there.',
  'x-attempt': 'Attempts that have failed.',
  'x-first-seen': 'Begin of the first attempt.',
  'x-last-attempt': 'Begin of the last attempt.',
  'x-not-before': 'When the next attempt is due; not with dead letters.',
  'x-error-class':
    'What the last attempt failed with: `code` of the error, or else its class. Never its text, which may hold data of the record.',
  'x-consumer-group': 'Consumer group that failed first; others pass the record over.',
  'x-redrive-count': 'How often the record was sent again from the dead-letter topic.',
} as const
export type RetryHeader = keyof typeof retryHeaders

/** In front of the name of a header whose value is not text; its value is in Base64 then. */
const base64Prefix = 'x-base64-'

/** What the headers of a record say about its attempts. */
export interface RetryState {
  readonly original: RecordPlace & { readonly timestampMs: number }
  readonly failedAttempts: number
  /** Undefined before the first attempt. */
  readonly firstSeenMs: number | undefined
  readonly lastAttemptMs: number | undefined
  /** 0: at once. */
  readonly notBeforeMs: number
  readonly errorClass: string | undefined
  readonly group: string | undefined
  readonly redriveCount: number
  /** Of whoever produced it. */
  readonly headers: readonly RecordHeader[]
}

/** Of a record on its first way to the consumer: what stands there of earlier ways counts no more, except that it was sent again. */
export function stateOfNew(record: SourceRecord): RetryState {
  const { topic, partition, offset, timestampMs } = record
  const redriveCount = numberOf(record, 'x-redrive-count') ?? 0
  return {
    original: { topic, partition, offset, timestampMs },
    failedAttempts: 0,
    firstSeenMs: undefined,
    lastAttemptMs: undefined,
    notBeforeMs: 0,
    errorClass: undefined,
    group: redriveCount === 0 ? undefined : textOf(record, 'x-consumer-group'),
    redriveCount,
    headers: record.headers.filter(isOfProducer),
  }
}

/** Of a record on a retry or a dead-letter topic. What somebody else has put there is new, and due at once. */
export function stateOfMoved(record: SourceRecord): RetryState {
  return {
    original: {
      topic: textOf(record, 'x-original-topic') ?? record.topic,
      partition: numberOf(record, 'x-original-partition') ?? record.partition,
      offset: numberOf(record, 'x-original-offset') ?? record.offset,
      timestampMs: timeOf(record, 'x-original-timestamp') ?? record.timestampMs,
    },
    failedAttempts: numberOf(record, 'x-attempt') ?? 0,
    firstSeenMs: timeOf(record, 'x-first-seen'),
    lastAttemptMs: timeOf(record, 'x-last-attempt'),
    notBeforeMs: timeOf(record, 'x-not-before') ?? 0,
    errorClass: textOf(record, 'x-error-class'),
    group: textOf(record, 'x-consumer-group'),
    redriveCount: numberOf(record, 'x-redrive-count') ?? 0,
    headers: record.headers.filter(isOfProducer).map(decoded),
  }
}

/** The headers of a record with this state: those of the producer first. */
export function headersOf(state: RetryState): (readonly [name: string, value: Buffer | string])[] {
  const { original, failedAttempts, redriveCount } = state
  const own: Partial<Record<RetryHeader, string | undefined>> = {
    'x-original-topic': original.topic,
    'x-original-partition': String(original.partition),
    'x-original-offset': String(original.offset),
    'x-original-timestamp': timeText(original.timestampMs),
    'x-attempt': String(failedAttempts),
    'x-first-seen': timeText(state.firstSeenMs),
    'x-last-attempt': timeText(state.lastAttemptMs),
    'x-not-before': timeText(state.notBeforeMs || undefined),
    'x-error-class': state.errorClass,
    'x-consumer-group': state.group,
    'x-redrive-count': redriveCount === 0 ? undefined : String(redriveCount),
  }
  const present = Object.entries(own).flatMap(([name, value]) =>
    value === undefined ? [] : [[name, value] as const],
  )
  return [...state.headers.map(writableHeader), ...present]
}

function isOfProducer([name]: RecordHeader): boolean {
  return !Object.hasOwn(retryHeaders, name)
}

/** The header in a form that node-rdkafka writes; {@link stateOfMoved} takes it back. */
export function writableHeader([name, value]: RecordHeader): readonly [string, Buffer | string] {
  return isHeaderText(value) ? [name, value] : [base64Prefix + name, value.toString('base64')]
}

function decoded([name, value]: RecordHeader): RecordHeader {
  return name.startsWith(base64Prefix)
    ? [name.slice(base64Prefix.length), Buffer.from(value.toString(), 'base64')]
    : [name, value]
}

function textOf({ headers }: SourceRecord, name: RetryHeader): string | undefined {
  return headers.findLast(([other]) => other === name)?.[1].toString()
}

function numberOf(record: SourceRecord, name: RetryHeader): number | undefined {
  const text = textOf(record, name)
  return text !== undefined && /^\d{1,15}$/.test(text) ? Number(text) : undefined
}

function timeOf(record: SourceRecord, name: RetryHeader): number | undefined {
  const timeMs = Date.parse(textOf(record, name) ?? '')
  return Number.isNaN(timeMs) ? undefined : timeMs
}

function timeText(timeMs: number | undefined): string | undefined {
  return timeMs === undefined ? undefined : new Date(timeMs).toISOString()
}
