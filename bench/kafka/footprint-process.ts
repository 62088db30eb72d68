/** Destinations of one cluster in a process of its own: node footprint-process.ts '<FootprintSettings as JSON>'. Each sends a record; then one line
 *  with the Footprint as JSON is printed, and the process ends. Linux only. */
import { readdir, readFile } from 'node:fs/promises'
import { setTimeout as delay } from 'node:timers/promises'
import { ProducerPool } from '../../src/kafka/producer-pool.ts'
import { toProducerConfig } from '../../src/kafka/producer-config.ts'
import type { PageProducer } from '../../src/kafka/producer.ts'
import { createTransactionalProducer } from '../../src/kafka/rdkafka-transactional-producer.ts'
import { silentLogger } from '../../src/observability/logger.ts'
import { benchRecords } from './records.ts'

export interface FootprintSettings {
  readonly kind: 'best-effort' | 'at-least-once'
  readonly destinations: number
  readonly bootstrapServers: string
  readonly kafkaTopic: string
}

export interface Footprint {
  readonly residentMb: number
  readonly threads: number
  readonly fileDescriptors: number
}

/** What was used to connect may be given back. */
const restMs = 1000
const settings = JSON.parse(process.argv[2] ?? '') as FootprintSettings
const { kind, destinations, bootstrapServers, kafkaTopic } = settings
const [record] = benchRecords(kafkaTopic, 1, 1000)
if (!record) throw new Error('there is no record to send')
const values = { kafkaTopic, bootstrapServers }
const kept: unknown[] = []
if (kind === 'best-effort') {
  const pool = new ProducerPool()
  for (let index = 0; index < destinations; index++) {
    const { producer } = pool.acquire(toProducerConfig(values, kind), silentLogger)
    kept.push(producer)
    await new Promise<void>((resolve, reject) => {
      producer.send(record, (error) => {
        if (error) reject(error)
        else resolve()
      })
    })
  }
} else {
  const producers: PageProducer[] = []
  for (let index = 0; index < destinations; index++) {
    const config = toProducerConfig(values, kind, `${kafkaTopic}-${index}`)
    const producer = createTransactionalProducer(config, silentLogger)
    await producer.start()
    await producer.sendPage([record])
    producers.push(producer)
  }
  kept.push(...producers)
}
await delay(restMs)
const status = await readFile('/proc/self/status', 'utf8')
const numberOf = (name: string): number =>
  Number(new RegExp(`${name}:\\s+(\\d+)`).exec(status)?.[1])
const footprint: Footprint = {
  residentMb: (numberOf('VmRSS') * 1024) / 1e6,
  threads: numberOf('Threads'),
  fileDescriptors: (await readdir('/proc/self/fd')).length,
}
process.stdout.write(`${JSON.stringify(footprint)}\n`, () => process.exit(kept.length > 0 ? 0 : 1))
