import { setTimeout as delay } from 'node:timers/promises'
import rdkafka from 'node-rdkafka'
import { rdkafkaCall } from '../src/kafka/rdkafka-call.ts'
import { uniqueName } from '../test/helpers/kafka.ts'
import { untilDone } from './deadline.ts'
import type { Notification } from './ledger.ts'

interface Partition {
  readonly topic: string
  readonly partition: number
}

const placeOf = ({ topic, partition }: Partition): string => `${topic}/${partition}`

/** Key and value of the record behind all others of a partition. */
const endMark = 'end of the run'

/** Reads every committed record of the Kafka topics from their beginning, whatever happens to the broker meanwhile. */
export class Reader {
  readonly #consumer: rdkafka.KafkaConsumer
  readonly #partitions: readonly Partition[]
  readonly #bootstrapServers: string
  readonly #ended = new Set<string>()
  #fault: Error | undefined
  #isStopping = false
  #reading: Promise<void> = Promise.resolve()

  private constructor(
    consumer: rdkafka.KafkaConsumer,
    bootstrapServers: string,
    partitions: readonly Partition[],
  ) {
    this.#consumer = consumer
    this.#bootstrapServers = bootstrapServers
    this.#partitions = partitions
  }

  /** @param partitions how many each topic has */
  static async start(
    bootstrapServers: string,
    kafkaTopics: readonly string[],
    partitionCount: number,
    onNotification: (notification: Notification, arrivedAtMs: number) => void,
  ): Promise<Reader> {
    const consumer = new rdkafka.KafkaConsumer(
      {
        'bootstrap.servers': bootstrapServers,
        'group.id': uniqueName('chaos-reader'),
        'enable.auto.commit': false,
        'isolation.level': 'read_committed',
        'reconnect.backoff.max.ms': 500,
        'fetch.wait.max.ms': 50,
        // A broker that has just started may not know its topics yet, and they would be gone for five minutes.
        'topic.metadata.refresh.interval.ms': 2000,
        log_level: 0,
      },
      // A position that Kafka does not have any more would be a loss of Kafka's: it must not pass as doubles.
      { 'auto.offset.reset': 'error' },
    )
    await rdkafkaCall((done) => consumer.connect({ timeout: 20_000 }, done))
    const partitions = kafkaTopics.flatMap((topic) =>
      Array.from({ length: partitionCount }, (_, partition) => ({ topic, partition })),
    )
    const reader = new Reader(consumer, bootstrapServers, partitions)
    consumer.on('event.error', () => undefined)
    // -2 is librdkafka's RD_KAFKA_OFFSET_BEGINNING.
    consumer.assign(partitions.map((each) => ({ ...each, offset: -2 })))
    consumer.setDefaultConsumeTimeout(100)
    reader.#reading = reader.#read(onNotification)
    return reader
  }

  async #read(
    onNotification: (notification: Notification, arrivedAtMs: number) => void,
  ): Promise<void> {
    while (!this.#isStopping) {
      // Fails while the broker is away.
      const messages = await rdkafkaCall<rdkafka.Message[]>((done) => {
        this.#consumer.consume(1000, done)
      }).catch(async () => delay(100, []))
      const arrivedAtMs = Date.now()
      try {
        for (const message of messages) {
          if (message.key?.toString() === endMark) this.#ended.add(placeOf(message))
          else onNotification(parse(message), arrivedAtMs)
        }
      } catch (error) {
        this.#fault ??= error instanceof Error ? error : new Error(String(error))
      }
    }
  }

  /** Resolves when everything is read that is in Kafka now. Nobody may write any more: a record of our own behind everything else tells
   *  that a partition is read, because no other sign of it survives every fault.
   *  @throws what could not be parsed */
  async untilEnd(): Promise<void> {
    await this.#writeEnds()
    await untilDone(
      'the end of every Kafka topic',
      async () => {
        const missing = this.#partitions.map(placeOf).filter((place) => !this.#ended.has(place))
        if (missing.length > 0) throw new Error(`${missing.join(', ')} not read to the end`)
        return Promise.resolve()
      },
      { deadlineMs: 120_000, pauseMs: 50 },
    )
    if (this.#fault !== undefined) throw this.#fault
  }

  async #writeEnds(): Promise<void> {
    const producer = new rdkafka.Producer(
      { 'bootstrap.servers': this.#bootstrapServers, dr_cb: true, log_level: 0 },
      {},
    )
    producer.on('event.error', () => undefined)
    await rdkafkaCall((done) => producer.connect({ timeout: 20_000 }, done))
    try {
      for (const { topic, partition } of this.#partitions) {
        producer.produce(topic, partition, Buffer.from(endMark), endMark)
      }
      await rdkafkaCall((done) => producer.flush(60_000, done))
    } finally {
      await new Promise<void>((resolve) => {
        producer.disconnect(() => {
          resolve()
        })
      })
    }
  }

  async stop(): Promise<void> {
    this.#isStopping = true
    await this.#reading
    if (!this.#consumer.isConnected()) return
    await new Promise<void>((resolve) => {
      this.#consumer.disconnect(() => {
        resolve()
      })
    })
  }
}

interface NotificationBody {
  readonly entry: readonly [
    {
      readonly resource: {
        readonly notificationEvent: readonly [
          { readonly eventNumber: number; readonly focus: { readonly reference: string } },
        ]
        readonly 'topic-destination': { readonly reference: string }
      }
    },
    { readonly resource?: NotifiedResource }?,
  ]
}

interface NotifiedResource {
  readonly meta: { readonly lastUpdated: string }
  readonly identifier?: readonly { readonly value: string }[]
}

function parse({ topic, key, value, headers = [] }: rdkafka.Message): Notification {
  const [status, focus] = (JSON.parse(value?.toString() ?? '') as NotificationBody).entry
  const [event] = status.resource.notificationEvent
  const [, resource, version] =
    /^([A-Za-z]+\/[^/]+)\/_history\/(\d+)$/.exec(event.focus.reference) ?? []
  if (resource === undefined) throw new Error(`a notification is about ${event.focus.reference}`)
  const destination = status.resource['topic-destination'].reference.replace(/^.*\//, '')
  const source = headers.find((header) => 'ce_source' in header)?.['ce_source']?.toString()
  return {
    destination,
    eventNumber: event.eventNumber,
    resource,
    versionId: Number(version),
    writeId: focus?.resource?.identifier?.[0]?.value,
    key: key?.toString(),
    stream: destination.startsWith('best-effort') ? `${topic} ${source ?? ''}` : topic,
    writtenAtMs: focus?.resource && Date.parse(focus.resource.meta.lastUpdated),
  }
}
