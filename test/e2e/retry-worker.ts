/** A consumer of the topics that `WORKER` describes, which fails as each record says: retry-worker.ts. It ends on SIGTERM.
 *
 *  It prints a line for each record that it has settled, and sends what it has processed to another topic, with the number of the attempt. */
import { retryingConsumer } from '../../src/retry/retrying-consumer.ts'
import { parseTopology } from '../../src/topology/parse-topology.ts'
import { resolveTopology } from '../../src/topology/resolve-topology.ts'

export interface Work {
  readonly file: string
  readonly topic: string
  readonly outTopic: string
  readonly bootstrapServers: string
  readonly instanceId?: string
}

/** What a record asks for. */
export interface Order {
  readonly id: number
  /** Attempts that fail. */
  readonly fails: number
  readonly code?: string
}

const { file, topic, outTopic, bootstrapServers, instanceId } = JSON.parse(
  process.env['WORKER'] ?? '',
) as Work
const consumer = retryingConsumer(
  resolveTopology(parseTopology(file, 'worker.yaml')),
  topic,
  ({ value, key }, { number, send }) => {
    const { id, fails, code = 'LATER' } = JSON.parse(String(value)) as Order
    if (number <= fails) throw Object.assign(new Error(`${id} fails`), { code })
    send({ topic: outTopic, key, value: JSON.stringify({ id, attempt: number }) })
  },
  {
    connection: { 'bootstrap.servers': bootstrapServers },
    sessionTimeoutMs: 6000,
    ...(instanceId === undefined ? {} : { instanceId }),
    onEvent: (event) => {
      if (event.type === 'trouble') process.stderr.write(`${event.message}\n`)
      else process.stdout.write(`${event.type}\n`)
    },
  },
)
process.once('SIGTERM', () => {
  void consumer.stop()
})
await consumer.start()
await consumer.ended
