import type { CauseContext, CauseRow, Words } from './causes/cause-row.ts'
import { clusterCauses, type ClusterCauseName } from './causes/cluster-causes.ts'
import { connectionCauses, type ConnectionCauseName } from './causes/connection-causes.ts'

export type { CauseContext } from './causes/cause-row.ts'
export type KafkaCauseName = ConnectionCauseName | ClusterCauseName

/** Every cause of trouble with Kafka that this module can name. `$status`, the errors, the preflight and docs/kafka-errors.md say it in these words; none
 *  ever holds a secret or the content of a record. */
export const kafkaCauses: Readonly<Record<KafkaCauseName, CauseRow>> = {
  ...connectionCauses,
  ...clusterCauses,
}

const rows: readonly (readonly [KafkaCauseName, CauseRow])[] = Object.entries(
  kafkaCauses,
  // Object.entries forgets the key type.
) as [KafkaCauseName, CauseRow][]

const namesByCode: ReadonlyMap<number, KafkaCauseName> = new Map(
  rows.flatMap(([name, { codes = [] }]) =>
    codes.map((code): [number, KafkaCauseName] => [code, name]),
  ),
)

const namesByTlsCode: ReadonlyMap<string, KafkaCauseName> = new Map(
  rows.flatMap(([name, { tls = [] }]) => tls.map((code): [string, KafkaCauseName] => [code, name])),
)

/** A cause, in words for an operator. */
export interface KafkaCause {
  /** Undefined when only librdkafka's own words are known. */
  readonly name: KafkaCauseName | undefined
  readonly message: string
  readonly broker?: string | undefined
  /** Set when it is about this topic alone, and no other that the same producer writes to. */
  readonly kafkaTopic?: string | undefined
}

/** @param context `kafkaTopic` makes it a cause of that topic alone where the row is about topics */
export function causeNamed(name: KafkaCauseName, context: CauseContext = {}): KafkaCause {
  const { broker, kafkaTopic } = context
  const isOfTopic = kafkaCauses[name].parameter === 'kafkaTopic'
  return {
    name,
    message: kafkaCauses[name].say(wordsOf(context)).replace(/^a Kafka/, 'A Kafka'),
    broker,
    kafkaTopic: isOfTopic ? kafkaTopic : undefined,
  }
}

/** @param text librdkafka's own words, used where the code says nothing */
export function causeOfCode(
  code: number | undefined,
  text: string,
  context: CauseContext = {},
): KafkaCause {
  const name = code === undefined ? undefined : namesByCode.get(code)
  if (name !== undefined) return causeNamed(name, context)
  // Its words can hold the path of a file.
  if (kafkaCauses['key-store-unreadable'].log?.test(text)) return causeNamed('key-store-unreadable')
  return {
    name: undefined,
    message: `Kafka: ${text}${code === undefined ? '' : ` (code ${code})`}.`,
  }
}

/** The cause in the text of a line that librdkafka logs about a connection. */
export function causeOfLog(text: string, broker: string): KafkaCause {
  for (const [name, { log }] of rows) {
    const match = log?.exec(text)
    if (match) return causeNamed(name, { broker, detail: match[1] })
  }
  return { name: undefined, message: `Kafka broker ${broker}: ${text}.`, broker }
}

/** The cause in a code of Node's TLS; undefined for any other code. */
export function causeOfTlsCode(code: string, broker: string): KafkaCause | undefined {
  const name = namesByTlsCode.get(code)
  return name && causeNamed(name, { broker })
}

function wordsOf({ broker, kafkaTopic, transactionalId, detail = '' }: CauseContext): Words {
  return {
    broker: broker === undefined ? 'a Kafka broker' : `Kafka broker ${broker}`,
    topic: kafkaTopic === undefined ? 'the Kafka topic' : `Kafka topic "${kafkaTopic}"`,
    id:
      transactionalId === undefined
        ? 'the transactional.id'
        : `transactional.id "${transactionalId}"`,
    detail,
  }
}
