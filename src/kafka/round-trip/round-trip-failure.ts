import type { CauseReporter } from '../cause-reporter.ts'
import { describeKafkaCode, isUnanswered, kafkaCodes, KafkaFailure } from '../kafka-error.ts'
import { causeNamed, type CauseContext } from '../kafka-causes.ts'
import { nativeFailure } from '../native-failure.ts'

/** What becomes of an error of one side of a round trip: silence is explained by what is known about the connection.
 *  @param error of node-rdkafka, or the reason of the signal that ended the wait */
export function roundTripFailure(
  error: unknown,
  causes: CauseReporter,
  context: CauseContext = {},
): KafkaFailure {
  if (error instanceof KafkaFailure) return error
  const isOver = error instanceof DOMException
  const { code, text } = isOver ? timedOut : nativeFailure(error)
  const message =
    (isUnanswered(code) ? causes.last : undefined) ?? describeKafkaCode(code, text, context)
  return new KafkaFailure('retriable', message, { kafkaCode: code, cause: error })
}

const timedOut = nativeFailure({ code: kafkaCodes.timedOut, message: 'timed out' })

/** The principal may not read a topic that exists. */
export function unreadable(kafkaTopic: string): KafkaFailure {
  const { message } = causeNamed('topic-unreadable', { kafkaTopic })
  return new KafkaFailure('retriable', message, { kafkaCode: kafkaCodes.topicAuthorization })
}

/** What a consumer is told with these codes; to a producer they mean another right. */
export function readRefusal(
  code: number | undefined,
  kafkaTopic: string,
  group: string | undefined,
): KafkaFailure | undefined {
  if (code === kafkaCodes.topicAuthorization) return unreadable(kafkaTopic)
  // A group that is nobody's may be forbidden: the record can be read all the same.
  if (code !== kafkaCodes.groupAuthorization || group === undefined) return undefined
  const { message } = causeNamed('group-unreadable', { detail: `"${group}"` })
  return new KafkaFailure('retriable', message, { kafkaCode: code })
}
