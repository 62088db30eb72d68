/** A consumer that sees each event once and notices a missing one: node --import tsx examples/consume-notifications.ts <kafka topic>
 *
 *  Prints a line a notification. KAFKA_BOOTSTRAP_SERVERS names the brokers, CONSUMER_GROUP the group (default: the topic's name). */
import rdkafka from 'node-rdkafka'

interface Notification {
  readonly entry: readonly [
    {
      readonly resource: {
        readonly notificationEvent: readonly [
          { readonly eventNumber: number; readonly focus: { readonly reference: string } },
        ]
        readonly 'topic-destination': { readonly reference: string }
      }
    },
  ]
}

const [kafkaTopic] = process.argv.slice(2)
if (kafkaTopic === undefined) throw new Error('Usage: consume-notifications.ts <kafka topic>')

const consumer = new rdkafka.KafkaConsumer(
  {
    'bootstrap.servers': process.env['KAFKA_BOOTSTRAP_SERVERS'] ?? 'localhost:9092',
    'group.id': process.env['CONSUMER_GROUP'] ?? kafkaTopic,
    // Records of transactions that were aborted are not shown.
    'isolation.level': 'read_committed',
  },
  { 'auto.offset.reset': 'earliest' },
)

/** The last event of each destination. In real life it is stored together with what the event led to. */
const lastNumbers = new Map<string, number>()

consumer.on('ready', () => {
  consumer.subscribe([kafkaTopic])
  consumer.consume()
})
consumer.on('data', ({ value }) => {
  const { entry } = JSON.parse(String(value)) as Notification
  const [{ resource }] = entry
  const [{ eventNumber, focus }] = resource.notificationEvent
  const destination = resource['topic-destination'].reference
  const last = lastNumbers.get(destination) ?? eventNumber - 1
  if (eventNumber <= last) return
  if (eventNumber > last + 1) {
    console.warn(`${destination}: events ${last + 1} to ${eventNumber - 1} are missing`)
  }
  lastNumbers.set(destination, eventNumber)
  console.log(`${destination} ${eventNumber} ${focus.reference}`)
})
consumer.on('event.error', ({ message }) => {
  console.error(message)
})
process.once('SIGTERM', () => consumer.disconnect())
process.once('SIGINT', () => consumer.disconnect())
consumer.connect()
