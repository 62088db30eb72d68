import { seededRandom } from '../../test/helpers/seeded-random.ts'
import type { KafkaRecord } from '../../src/kafka/producer.ts'

/** Records as a destination sends them, with a JSON text of about `bytes`, half of which compresses well. */
export function benchRecords(kafkaTopic: string, count: number, bytes: number): KafkaRecord[] {
  const random = seededRandom(7)
  return Array.from({ length: count }, (_, index) => {
    const id = `resource-${index}`
    let text = `{"resourceType":"Observation","id":"${id}","status":"final","note":[`
    while (text.length < bytes) {
      text += `{"text":"${Math.floor(random() * 2 ** 32).toString(36)}","author":"practitioner"},`
    }
    return {
      kafkaTopic,
      key: id,
      value: Buffer.from(`${text}{}]}`),
      headers: [{ ce_id: id }, { 'content-type': 'application/fhir+json' }],
    }
  })
}
