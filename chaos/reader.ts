import { setTimeout as delay } from 'node:timers/promises'
import rdkafka from 'node-rdkafka'
import { rdkafkaCall } from '../src/kafka/rdkafka-call.ts'
import { uniqueName } from '../test/helpers/kafka.ts'
import { untilDone } from './deadline.ts'
import type { Notification } from './ledger.ts'

const lastOffsetOf = (topic: string, partition: number): string => `${topic}/${partition}`

/** Reads every committed record of the Kafka topics from their beginning, whatever happens to the broker meanwhile. */
export class Reader {
  readonly #consumer: rdkafka.KafkaConsumer
  readonly #partitions: readonly { readonly topic: string; readonly partition: number }[]
  /** Offset at which the end of a partition was reached last. */
  readonly #ends = new Map<string, number>()
  #fault: Error | undefined
  #isStopping = false
  #reading: Promise<void> = Promise.resolve()

  private constructor(
    consumer: rdkafka.KafkaConsumer,
    partitions: readonly { readonly topic: string; readonly partition: number }[],
  ) {
    this.#consumer = consumer
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
        'enable.partition.eof': true,
        'reconnect.backoff.max.ms': 500,
        'fetch.wait.max.ms': 50,
        log_level: 0,
      },
      // A position that Kafka does not have any more would be a loss of Kafka's: it must not pass as doubles.
      { 'auto.offset.reset': 'error' },
    )
    await rdkafkaCall((done) => consumer.connect({ timeout: 20_000 }, done))
    const partitions = kafkaTopics.flatMap((topic) =>
      Array.from({ length: partitionCount }, (_, partition) => ({ topic, partition })),
    )
    const reader = new Reader(consumer, partitions)
    consumer.on('event.error', () => undefined)
    consumer.on('partition.eof', ({ topic, partition, offset }) => {
      reader.#ends.set(lastOffsetOf(topic, partition), offset)
    })
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
        for (const message of messages) onNotification(parse(message), arrivedAtMs)
      } catch (error) {
        this.#fault ??= error instanceof Error ? error : new Error(String(error))
      }
    }
  }

  /** Resolves when everything is read that is in Kafka now. Nobody may write any more.
   *  @throws what could not be parsed */
  async untilEnd(): Promise<void> {
    for (const { topic, partition } of this.#partitions) {
      const place = lastOffsetOf(topic, partition)
      await untilDone(
        `the end of ${place}`,
        async () => {
          const { highOffset } = await rdkafkaCall<rdkafka.WatermarkOffsets>((done) =>
            this.#consumer.queryWatermarkOffsets(topic, partition, 5000, done),
          )
          const end = this.#ends.get(place) ?? 0
          if (end < highOffset) throw new Error(`read to ${end} of ${highOffset}`)
        },
        { deadlineMs: 120_000, pauseMs: 50 },
      )
    }
    if (this.#fault !== undefined) throw this.#fault
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
