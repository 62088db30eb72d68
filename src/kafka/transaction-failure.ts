import { describeKafkaCode, kafkaCodes, KafkaFailure } from './kafka-error.ts'
import type { KafkaErrorKind, KafkaRecord } from './producer.ts'
import type { NativeError } from './native-failure.ts'
import type { DeliveryFailure } from './rdkafka-client.ts'

/** What to do with the producer after a transactional call failed. */
export type TransactionVerdict = 'again' | 'abort' | 'fenced' | 'fatal'

/** The flags decide, not the code: -185 is retriable after a slice ran out, and requires an abort after a record timed out. No flag at all
 *  means that librdkafka expects no way on. */
export function transactionVerdict(error: NativeError): TransactionVerdict {
  if (error.code === kafkaCodes.fenced) return 'fenced'
  if (error.isFatal || error.code === kafkaCodes.fatal) return 'fatal'
  if (error.requiresAbort) return 'abort'
  return error.isRetriable ? 'again' : 'fatal'
}

const poisonCodes: ReadonlySet<number | undefined> = new Set<number>([
  kafkaCodes.messageTooLarge,
  kafkaCodes.batchTooLarge,
  kafkaCodes.invalidRecord,
])
/** What the failure of another record of the page looks like when this call notices it first. */
const maybePoisonCodes: ReadonlySet<number | undefined> = new Set<number>([
  kafkaCodes.outOfOrderSequence,
  kafkaCodes.state,
])
/** Records that the abort itself took out of the queue. */
const purgedCodes: ReadonlySet<number | undefined> = new Set<number>([
  kafkaCodes.purgedInFlight,
  kafkaCodes.purgedInQueue,
])

/** Whether a delivery report may still come that names the record at fault. */
export function isPoisonSuspected({ code }: NativeError): boolean {
  return poisonCodes.has(code) || maybePoisonCodes.has(code)
}

/** The error of an aborted transaction.
 *
 *  Kafka refuses whole batches, so every record of a refused batch reports the same error. Only when exactly one record reports it, and
 *  no other record of the page looks alike (topic, key and size), is it named. Otherwise `poisonIndexes` is empty, and the caller sends
 *  smaller pages until the record at fault is alone; a single record with a page-level error that may be another's is retriable. */
export function abortedFailure(
  error: NativeError,
  records: readonly KafkaRecord[],
  failed: readonly DeliveryFailure[],
  transactionalId: string | undefined,
): KafkaFailure {
  const named = failed.filter((outcome) => poisonCodes.has(outcome.error.code))
  const cause = named[0]?.error ?? causeOf(error, failed)
  const isPoison =
    named.length > 0 ||
    poisonCodes.has(error.code) ||
    (maybePoisonCodes.has(error.code) && cause === error && records.length > 1)
  const kafkaTopic =
    named[0]?.kafkaTopic ??
    failed.find((outcome) => outcome.error === cause)?.kafkaTopic ??
    records[0]?.kafkaTopic
  const kind: KafkaErrorKind = isPoison ? 'poison' : 'retriable'
  // librdkafka has only the state of the transaction to tell.
  const isNameless = isPoison && cause.code === kafkaCodes.state
  const message = isNameless
    ? 'Kafka has refused a record of a page; which one is found out by smaller pages.'
    : describeKafkaCode(cause.code, cause.text, { kafkaTopic, transactionalId })
  return new KafkaFailure(kind, message, {
    kafkaCode: cause.code,
    poisonIndexes: isPoison ? poisonIndexes(records, named) : [],
  })
}

/** The error of a transaction aborted because `produce` refused one record at once; reports of other records say nothing about it. */
export function refusedFailure(
  error: NativeError,
  records: readonly KafkaRecord[],
  index: number,
): KafkaFailure {
  const isPoison = poisonCodes.has(error.code)
  const kafkaTopic = records[index]?.kafkaTopic
  return new KafkaFailure(
    isPoison ? 'poison' : 'retriable',
    describeKafkaCode(error.code, error.text, { kafkaTopic }),
    { kafkaCode: error.code, poisonIndexes: isPoison ? [index] : [] },
  )
}

/** A report says more than the commit, which often only says that records failed. */
function causeOf(error: NativeError, failed: readonly DeliveryFailure[]): NativeError {
  const report = failed.find((outcome) => !purgedCodes.has(outcome.error.code))
  return report?.error ?? error
}

function poisonIndexes(
  records: readonly KafkaRecord[],
  named: readonly DeliveryFailure[],
): readonly number[] {
  if (records.length === 1) return [0]
  const [outcome] = named
  if (!outcome || named.length !== 1) return []
  const matching = records.flatMap((record, index) => (isRecordOf(outcome, record) ? [index] : []))
  return matching.length === 1 ? matching : []
}

function isRecordOf(outcome: DeliveryFailure, record: KafkaRecord): boolean {
  return (
    outcome.kafkaTopic === record.kafkaTopic &&
    outcome.key === record.key &&
    outcome.valueBytes === record.value.byteLength
  )
}
