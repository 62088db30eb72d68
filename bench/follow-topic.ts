import { randomUUID } from 'node:crypto'
import rdkafka from 'node-rdkafka'
import { rdkafkaCall } from '../src/kafka/rdkafka-call.ts'

export interface Follower {
  /** Resolves when the condition holds after a record; rejects after 60 seconds. */
  until(condition: () => boolean): Promise<void>
  stop(): Promise<void>
}

/** Reads partition 0 from its end and reports each record as it arrives.
 *  @param onRecord gets the value, the time of arrival (Unix time in milliseconds) and the key, which is '' where there is none */
export async function followTopic(
  bootstrapServers: string,
  kafkaTopic: string,
  onRecord: (value: string, arrivedMs: number, key: string) => void,
  isolation: 'read_committed' | 'read_uncommitted' = 'read_committed',
): Promise<Follower> {
  const consumer = new rdkafka.KafkaConsumer(
    {
      'bootstrap.servers': bootstrapServers,
      'group.id': randomUUID(),
      'enable.auto.commit': false,
      'isolation.level': isolation,
      'fetch.wait.max.ms': 5,
    },
    { 'auto.offset.reset': 'latest' },
  )
  await rdkafkaCall((done) => consumer.connect({ timeout: 10_000 }, done))
  // An empty read makes the consume loop rest 500 ms by default: that would be measured instead.
  consumer.setDefaultConsumeLoopTimeoutDelay(1)
  let recheck = (): void => undefined
  consumer.on('data', ({ value, key }) => {
    if (!value) return
    onRecord(value.toString(), Date.now(), key?.toString() ?? '')
    recheck()
  })
  const { highOffset } = await rdkafkaCall<rdkafka.WatermarkOffsets>((done) =>
    consumer.queryWatermarkOffsets(kafkaTopic, 0, 10_000, done),
  )
  consumer.assign([{ topic: kafkaTopic, partition: 0, offset: highOffset }])
  consumer.consume()
  return {
    until: (condition) =>
      new Promise((resolve, reject) => {
        const timer = setTimeout(() => {
          reject(new Error(`${kafkaTopic}: records missing after 60 s`))
        }, 60_000)
        recheck = () => {
          if (!condition()) return
          clearTimeout(timer)
          recheck = () => undefined
          resolve()
        }
        recheck()
      }),
    stop: () =>
      new Promise((resolve) =>
        consumer.disconnect(() => {
          resolve()
        }),
      ),
  }
}
