import type { KafkaAddresses } from '../../test/helpers/kafka-broker.ts'
import { uniqueName } from '../../test/helpers/kafka.ts'
import type { KafkaCauseName } from '../../src/kafka/kafka-causes.ts'
import type { KafkaParameterValues } from '../../src/kafka/parameter-table.ts'
import { toProducerConfig } from '../../src/kafka/producer-config.ts'
import { createIdempotentProducer } from '../../src/kafka/rdkafka-idempotent-producer.ts'
import { createTransactionalProducer } from '../../src/kafka/rdkafka-transactional-producer.ts'
import { silentLogger } from '../../src/observability/logger.ts'
import { absoluteFigure, type Figure } from '../figures.ts'
import { benchRecords } from './records.ts'

interface Trouble {
  readonly name: KafkaCauseName
  readonly values: (kafka: KafkaAddresses) => KafkaParameterValues
}

const aimSeconds = 5
const giveUpMs = 60_000

const troubles: readonly Trouble[] = [
  {
    name: 'login-refused',
    values: ({ saslBootstrapServers }) => ({
      kafkaTopic: 'any',
      bootstrapServers: saslBootstrapServers,
      securityProtocol: 'SASL_PLAINTEXT',
      saslMechanism: 'PLAIN',
      saslJaasConfig:
        'org.apache.kafka.common.security.plain.PlainLoginModule required username="a" password="b";',
    }),
  },
  {
    name: 'connection-closed',
    values: ({ saslBootstrapServers }) => ({
      kafkaTopic: 'any',
      bootstrapServers: saslBootstrapServers,
    }),
  },
  {
    name: 'unreachable',
    values: () => ({ kafkaTopic: 'any', bootstrapServers: '127.0.0.1:9' }),
  },
  {
    name: 'topic-unknown',
    values: ({ bootstrapServers }) => ({ kafkaTopic: uniqueName('none'), bootstrapServers }),
  },
]

/** Seconds until a producer that is made for the trouble names its cause. */
export async function benchNaming(
  kafka: KafkaAddresses,
  { rounds }: { rounds: number },
): Promise<Figure[]> {
  const figures: Figure[] = []
  for (const { name, values } of troubles) {
    for (const kind of ['best-effort', 'at-least-once'] as const) {
      const seconds: number[] = []
      for (let round = 0; round < rounds; round++) {
        seconds.push((await untilNamed(kind, values(kafka), name)) / 1000)
      }
      const figure = { suite: 'kafka', name: `named-${name}-${kind}`, unit: 's', values: seconds }
      figures.push(absoluteFigure({ ...figure, target: aimSeconds }))
    }
  }
  return figures
}

async function untilNamed(
  kind: 'best-effort' | 'at-least-once',
  values: KafkaParameterValues,
  wanted: KafkaCauseName,
): Promise<number> {
  const records = benchRecords(values.kafkaTopic, 1, 1000)
  const startMs = performance.now()
  let end: () => Promise<void> = () => Promise.resolve()
  try {
    await new Promise<void>((resolve, reject) => {
      const timer = setTimeout(() => {
        reject(new Error(`${wanted} was not named within ${giveUpMs} ms`))
      }, giveUpMs)
      const onError = (_message: string, { name }: { name: KafkaCauseName | undefined }): void => {
        if (name !== wanted) return
        clearTimeout(timer)
        resolve()
      }
      end = begin(kind, values, records, onError)
    })
    return performance.now() - startMs
  } finally {
    await end()
  }
}

/** Makes a producer and has it send. @returns ends it */
function begin(
  kind: 'best-effort' | 'at-least-once',
  values: KafkaParameterValues,
  records: ReturnType<typeof benchRecords>,
  onError: (message: string, cause: { name: KafkaCauseName | undefined }) => void,
): () => Promise<void> {
  if (kind === 'best-effort') {
    const producer = createIdempotentProducer(toProducerConfig(values, kind), silentLogger, {
      onError,
    })
    for (const record of records) producer.send(record, () => undefined)
    return () => producer.close(0)
  }
  const config = toProducerConfig(values, kind, uniqueName('naming'))
  const producer = createTransactionalProducer(config, silentLogger, { onError })
  // It tells on the way; what it comes to in the end does not matter here.
  void producer
    .start()
    .then(() => producer.sendPage(records))
    .catch(() => undefined)
  return () => producer.close(0)
}
