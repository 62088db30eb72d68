/** node-rdkafka alone: node bare-process.ts '<Settings as JSON>'. Prints "ready", sends at the first line of standard input, and ends. */
import { once } from 'node:events'
import { consumeRecords } from '../../test/helpers/kafka.ts'
import { connectBareProducer, prepareRecords, type BareProducerKind } from '../bare-producer.ts'

export interface BareProcessSettings {
  readonly kind: BareProducerKind
  readonly bootstrapServers: string
  /** Kafka topic that holds what is to be sent: the same keys, headers and values. */
  readonly from: string
  readonly to: string
  readonly events: number
  readonly perTransaction: number
}

const settings = JSON.parse(process.argv[2] ?? '') as BareProcessSettings
const { kind, bootstrapServers, from, to, events, perTransaction } = settings
const records = prepareRecords(await consumeRecords(bootstrapServers, from, events))
const producer = await connectBareProducer(bootstrapServers, `bare-${to}`, kind)
process.stdout.write('ready\n')
await once(process.stdin, 'data')
await producer.send(to, records, perTransaction)
await producer.close()
process.exit(0)
