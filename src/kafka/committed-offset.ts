import type { KafkaConsumer, TopicPartition } from 'node-rdkafka'
import type { NativeCalls } from './native-calls.ts'
import { nativeFailure } from './native-failure.ts'

/** The offset that the group of a consumer has committed on a partition; undefined when there is none. Without Describe on the group it times out.
 *  @param calls of the consumer
 *  @param calledOff ends the wait for its turn
 *  @throws {@link NativeFailure} */
export async function committedOffset(
  consumer: KafkaConsumer,
  calls: NativeCalls,
  { topic, partition }: TopicPartition,
  timeoutMs: number,
  calledOff?: AbortSignal,
): Promise<number | undefined> {
  const call = (done: (error: unknown, answer?: unknown) => void): void => {
    consumer.committed([{ topic, partition }], timeoutMs, (error, partitions) => {
      // The types promise an error to every callback. That of a partition stands in the list, and its missing offset would read as "none".
      const [answer] = (partitions as readonly unknown[] | undefined) ?? []
      const refused = answer instanceof Error ? answer : undefined
      done((error as unknown) ? error : refused, answer)
    })
  }
  const answer = await calls.run('request', call, calledOff)
  if (typeof answer !== 'object' || answer === null) throw nativeFailure('no answer')
  const { offset } = answer as { offset?: unknown }
  return typeof offset === 'number' && offset >= 0 ? offset : undefined
}
