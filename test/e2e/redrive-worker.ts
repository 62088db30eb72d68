/** Sends dead letters again as `WORKER` says, and kills itself half-way: redrive-worker.ts. */
import { redriveDeadLetters } from '../../src/retry/dead-letters/redrive.ts'
import { parseTopology } from '../../src/topology/parse-topology.ts'
import { resolveTopology } from '../../src/topology/resolve-topology.ts'

export interface RedriveWork {
  readonly file: string
  readonly topic: string
  readonly bootstrapServers: string
  readonly errorClass: string
  /** Kafka transactions before the end; undefined: all. */
  readonly steps?: number
  /** From the last one to the end, in milliseconds: somewhere in the next. */
  readonly delayMs?: number
}

const { file, topic, bootstrapServers, errorClass, steps, delayMs } = JSON.parse(
  process.env['WORKER'] ?? '',
) as RedriveWork
let done = 0
const { sent } = await redriveDeadLetters(
  resolveTopology(parseTopology(file, 'worker.yaml')),
  topic,
  {
    connection: { 'bootstrap.servers': bootstrapServers },
    errorClass,
    onProgress: () => {
      if (++done === steps) setTimeout(() => process.kill(process.pid, 'SIGKILL'), delayMs)
    },
  },
)
process.stdout.write(`${sent}\n`)
