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

const brokers = process.env['KAFKA_BOOTSTRAP_SERVERS'] ?? 'localhost:9092'
const consumer = new rdkafka.KafkaConsumer(
  {
    'bootstrap.servers': brokers,
    'group.id': process.env['CONSUMER_GROUP'] ?? kafkaTopic,
    // Records of transactions that were aborted are not shown.
    'isolation.level': 'read_committed',
  },
  { 'auto.offset.reset': 'earliest' },
)

/** Events of a destination rise within a partition; over several partitions they come in any order. In real life this is stored together with
 *  what the events led to. */
const lastNumbers = new Map<string, number>()
const highestNumbers = new Map<string, number>()
/** Events that should come on another partition, and since when. */
const awaitedSinceMs = new Map<string, number>()
const patienceMs = 10_000

consumer.on('ready', () => {
  consumer.subscribe([kafkaTopic])
  consumer.consume()
})
consumer.on('data', ({ value, partition }) => {
  const { entry } = JSON.parse(String(value)) as Notification
  const [{ resource }] = entry
  const [{ eventNumber, focus }] = resource.notificationEvent
  const destination = resource['topic-destination'].reference
  const place = `${destination} of partition ${partition}`
  // A repeated event comes with its number; an event that was not delivered keeps it too.
  if (eventNumber <= (lastNumbers.get(place) ?? 0)) return
  lastNumbers.set(place, eventNumber)
  const highest = highestNumbers.get(destination) ?? eventNumber
  for (let number = highest + 1; number < eventNumber; number++) {
    awaitedSinceMs.set(`${destination} ${number}`, Date.now())
  }
  awaitedSinceMs.delete(`${destination} ${eventNumber}`)
  highestNumbers.set(destination, Math.max(highest, eventNumber))
  console.log(`${destination} ${eventNumber} ${focus.reference}`)
})
const looking = setInterval(() => {
  for (const [event, sinceMs] of awaitedSinceMs) {
    if (Date.now() - sinceMs < patienceMs) continue
    awaitedSinceMs.delete(event)
    console.warn(`${event} is missing`)
  }
}, 1000)
looking.unref()
consumer.on('event.error', ({ message }) => {
  console.error(`${brokers}: ${message}`)
})
process.once('SIGTERM', () => consumer.disconnect())
process.once('SIGINT', () => consumer.disconnect())
consumer.connect()
