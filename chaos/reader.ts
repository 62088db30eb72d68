import { fork, type ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { fileURLToPath } from 'node:url'
import rdkafka from 'node-rdkafka'
import { rdkafkaCall } from '../src/kafka/rdkafka-call.ts'
import { untilDone } from './deadline.ts'
import type { Notification } from './ledger.ts'
import type { Place, ReadBatch, ReaderTask, ReadRecord } from './reader-process.ts'

const script = fileURLToPath(new URL('reader-process.ts', import.meta.url))

const placeOf = ({ topic, partition }: Omit<Place, 'offset'>): string => `${topic}/${partition}`

/** Key and value of the record behind all others of a partition. */
const endMark = 'end of the run'
/** librdkafka's RD_KAFKA_OFFSET_BEGINNING. */
const beginning = -2

type OnNotification = (notification: Notification, arrivedAtMs: number) => void

/** Reads every committed record of the Kafka topics from their beginning, whatever happens to the broker meanwhile.
 *
 *  The consumer is a process of its own: node-rdkafka's has been seen, once in many runs, to end with SIGSEGV while the broker was killed.
 *  That says nothing of what is checked; the next process goes on behind the last record that has arrived here. */
export class Reader {
  readonly #bootstrapServers: string
  readonly #onNotification: OnNotification
  readonly #places: Map<string, Place>
  readonly #ended = new Set<string>()
  #process: ChildProcess
  #hasBegun = false
  #fault: Error | undefined
  #isStopping = false
  /** Consumers that ended by themselves. */
  crashes = 0

  private constructor(
    bootstrapServers: string,
    places: readonly Place[],
    onNotification: OnNotification,
  ) {
    this.#bootstrapServers = bootstrapServers
    this.#onNotification = onNotification
    this.#places = new Map(places.map((place) => [placeOf(place), place]))
    this.#process = this.#startProcess()
  }

  /** @param partitionCount how many each topic has */
  static async start(
    bootstrapServers: string,
    kafkaTopics: readonly string[],
    partitionCount: number,
    onNotification: OnNotification,
  ): Promise<Reader> {
    const places = kafkaTopics.flatMap((topic) =>
      Array.from({ length: partitionCount }, (_, partition) => ({
        topic,
        partition,
        offset: beginning,
      })),
    )
    const reader = new Reader(bootstrapServers, places, onNotification)
    await untilDone(
      'the consumer',
      async () => {
        if (!reader.#hasBegun) throw new Error('it has not begun')
        return Promise.resolve()
      },
      { deadlineMs: 60_000, pauseMs: 50 },
    )
    return reader
  }

  #startProcess(): ChildProcess {
    const task: ReaderTask = {
      bootstrapServers: this.#bootstrapServers,
      places: [...this.#places.values()],
    }
    const child = fork(script, [JSON.stringify(task)], { execArgv: ['--import', 'tsx'] })
    child.on('message', (batch: ReadBatch) => {
      this.#hasBegun = true
      for (const record of batch.records) this.#take(record, batch.arrivedAtMs)
    })
    child.on('exit', () => {
      if (this.#isStopping) return
      this.crashes++
      setTimeout(() => {
        if (!this.#isStopping) this.#process = this.#startProcess()
      }, 1000)
    })
    return child
  }

  #take(record: ReadRecord, arrivedAtMs: number): void {
    const place = placeOf(record)
    const { topic, partition, offset } = record
    this.#places.set(place, { topic, partition, offset: offset + 1 })
    try {
      if (record.key === endMark) this.#ended.add(place)
      else this.#onNotification(parse(record), arrivedAtMs)
    } catch (error) {
      this.#fault ??= error instanceof Error ? error : new Error(String(error))
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
        const missing = [...this.#places.keys()].filter((place) => !this.#ended.has(place))
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
      for (const { topic, partition } of this.#places.values()) {
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
    const { exitCode, signalCode } = this.#process
    if (exitCode !== null || signalCode !== null) return
    const exited = once(this.#process, 'exit')
    this.#process.kill('SIGKILL')
    await exited
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

function parse({ topic, key, value, source }: ReadRecord): Notification {
  const [status, focus] = (JSON.parse(value) as NotificationBody).entry
  const [event] = status.resource.notificationEvent
  const [, resource, version] =
    /^([A-Za-z]+\/[^/]+)\/_history\/(\d+)$/.exec(event.focus.reference) ?? []
  if (resource === undefined) throw new Error(`a notification is about ${event.focus.reference}`)
  const destination = status.resource['topic-destination'].reference.replace(/^.*\//, '')
  return {
    destination,
    eventNumber: event.eventNumber,
    resource,
    versionId: Number(version),
    writeId: focus?.resource?.identifier?.[0]?.value,
    key,
    stream: destination.startsWith('best-effort') ? `${topic} ${source ?? ''}` : topic,
    writtenAtMs: focus?.resource && Date.parse(focus.resource.meta.lastUpdated),
  }
}
