import { randomUUID } from 'node:crypto'
import rdkafka from 'node-rdkafka'
import { rdkafkaCall } from '../src/kafka/rdkafka-call.ts'

export interface Follower {
  /** Resolves when the condition holds after a record; rejects after 60 seconds. */
  until(condition: () => boolean): Promise<void>
  stop(): Promise<void>
}

/** Reads partition 0 from its end, committed records only, and reports each as it arrives. */
export async function followTopic(
  bootstrapServers: string,
  kafkaTopic: string,
  onRecord: (value: string, arrivedMs: number) => void,
): Promise<Follower> {
  const consumer = new rdkafka.KafkaConsumer(
    {
      'bootstrap.servers': bootstrapServers,
      'group.id': randomUUID(),
      'enable.auto.commit': false,
      'isolation.level': 'read_committed',
      'fetch.wait.max.ms': 5,
    },
    { 'auto.offset.reset': 'latest' },
  )
  await rdkafkaCall((done) => consumer.connect({ timeout: 10_000 }, done))
  // An empty read makes the consume loop rest 500 ms by default: that would be measured instead.
  consumer.setDefaultConsumeLoopTimeoutDelay(1)
  let recheck = (): void => undefined
  consumer.on('data', ({ value }) => {
    if (!value) return
    onRecord(value.toString(), Date.now())
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
