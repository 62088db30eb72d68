import rdkafka from 'node-rdkafka'
import { rdkafkaCall } from '../src/kafka/rdkafka-call.ts'

/** So that long runs need not hold on the broker's disk what they have measured. */
export async function deleteTopic(bootstrapServers: string, topic: string): Promise<void> {
  const admin = rdkafka.AdminClient.create({ 'bootstrap.servers': bootstrapServers, log_level: 0 })
  try {
    await rdkafkaCall((done) => {
      admin.deleteTopic(topic, 30_000, done)
    })
  } finally {
    admin.disconnect()
  }
}
