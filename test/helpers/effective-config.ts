import { setTimeout as delay } from 'node:timers/promises'
import type { ProducerConfig } from '../../src/kafka/producer-config.ts'
import { rdkafka } from '../../src/kafka/rdkafka-binding.ts'
import { rdkafkaCall } from '../../src/kafka/rdkafka-call.ts'

/** Properties that were set, by librdkafka's first name for each, with the values it works with; those of secrets are hidden. */
export interface EffectiveConfig {
  readonly global: ReadonlyMap<string, string>
  readonly topic: ReadonlyMap<string, string>
}

const line = /^(?:\[thrd:.*?\]: )?(.*)$/

/** What a connected client of librdkafka says of its configuration, by its debug context `conf`. What node-rdkafka drops on the way is not in it. */
export async function effectiveConfig(
  { global, topic }: Pick<ProducerConfig, 'global' | 'topic'>,
  deadlineMs = 30_000,
): Promise<EffectiveConfig> {
  const producer = new rdkafka.Producer({ ...global, debug: 'conf' }, { ...topic })
  const lines: string[] = []
  producer.on('event.log', ({ fac, message }: { fac: string; message: string }) => {
    if (fac === 'CONF') lines.push(line.exec(message.trimEnd())?.[1] ?? '')
  })
  await rdkafkaCall((done) => producer.connect({ timeout: 10_000 }, done))
  try {
    const endsAtMs = performance.now() + deadlineMs
    if ('transactional.id' in global) {
      await rdkafkaCall((done) => {
        producer.initTransactions(10_000, done)
      })
      await rdkafkaCall((done) => {
        producer.beginTransaction(done)
      })
    }
    // What was logged before the connection stands waits for the next line, which a topic brings: its own configuration.
    producer.produce('any', null, Buffer.from(''))
    while (!lines.some((each) => each.startsWith('Topic "any" configuration'))) {
      if (performance.now() > endsAtMs) throw new Error(`No configuration in: ${lines.join('\n')}`)
      producer.poll()
      await delay(10)
    }
  } finally {
    await rdkafkaCall((done) => producer.disconnect(100, done))
  }
  const topicAt = lines.findIndex((each) => each.startsWith('Default topic configuration'))
  return { global: properties(lines.slice(0, topicAt)), topic: properties(lines.slice(topicAt)) }
}

function properties(lines: readonly string[]): ReadonlyMap<string, string> {
  const pairs = lines.flatMap((each) => {
    const [, name = '', value = ''] = /^\s*(\S+) = (.*)$/.exec(each) ?? []
    return name === '' ? [] : [[name, value] as const]
  })
  return new Map(pairs)
}
