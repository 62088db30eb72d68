import {
  causeNamed,
  causeOfCode,
  causeOfLog,
  type CauseContext,
  type KafkaCause,
} from './kafka-causes.ts'
import { codeOfReport } from './rdkafka-binding.ts'

/** What node-rdkafka emits as `event.log`. `severity` as in syslog: 3 is an error, 6 information. */
export interface RdkafkaLog {
  readonly severity: number
  readonly fac: string
  readonly message: string
}

/** librdkafka's name for whichever broker coordinates the transactions. */
const coordinator = 'TxnCoordinator'

function coordinatorAddress(text: string): string {
  return /Connect to ipv[46]#(\S+) failed/.exec(text)?.[1] ?? 'that coordinates the transactions'
}

/** The cause in a line of librdkafka's log, or undefined for lines that are no cause. A wrong password or an untrusted
 *  certificate shows up in this log only: the calls themselves just time out.
 *  @param isConnected brokers close idle connections, which is a cause only for a producer that never came up
 *  @param context of the producer */
export function causeOfLogLine(
  log: RdkafkaLog,
  isConnected: boolean,
  context: CauseContext = {},
): KafkaCause | undefined {
  const { fac, severity, message } = log
  if (fac === 'FATAL') return fatalCause(message, context)
  if (fac === 'OIDC' && severity <= 4) return oidcCause(message)
  if (fac !== 'FAIL' || (isConnected && severity > 4)) return undefined
  return connectionCause(message)
}

function connectionCause(message: string): KafkaCause {
  const line = /^(?:\[thrd:.*?\]: )?(?:\w+:\/\/)?(\S+?)(?:\/\w+)?: (.*?)(?: \(after .*\))?$/.exec(
    message.trim(),
  )
  const [, name = 'unknown', text = message] = line ?? []
  return causeOfLog(text, name === coordinator ? coordinatorAddress(text) : name)
}

/** Why librdkafka itself got no token, without the words of the endpoint: they may repeat what was sent. */
function oidcCause(message: string): KafkaCause {
  const [, origin = 'the token endpoint'] = /from "(https?:\/\/[^/?#"]+)/.exec(message) ?? []
  const [, status = '000'] = /\((\d{3})\)\s*$/.exec(message) ?? []
  const answer = status === '000' ? '' : ` (status ${status})`
  return causeNamed('token-not-issued', { detail: `${origin}${answer}` })
}

/** Why librdkafka gave a producer up. What it purges then says only that it was purged. */
function fatalCause(message: string, context: CauseContext): KafkaCause | undefined {
  const text = /Fatal error: (?:Broker|Local): ([^:]+)/.exec(message)?.[1]
  if (text === undefined) return undefined
  return causeOfCode(codeOfReport(text.toLowerCase()), text, context)
}

/** What node-rdkafka emits as `event.throttle`. Times are in milliseconds. */
export interface RdkafkaThrottle {
  readonly throttleTime: number
  readonly brokerName: string
}

/** A quota that slows a producer down; undefined when it does not any more. */
export function causeOfThrottle({
  throttleTime,
  brokerName,
}: RdkafkaThrottle): KafkaCause | undefined {
  if (throttleTime <= 0) return undefined
  const broker = brokerName.replace(/^\w+:\/\//, '').replace(/\/\w+$/, '')
  return causeNamed('throttled', { broker })
}
