import type { CauseReporter } from './cause-reporter.ts'
import { causeOfLogLine, type RdkafkaLog } from './connection-cause.ts'
import type { KafkaCause } from './kafka-causes.ts'
import type { ProducerConfig } from './producer-config.ts'
import { exactTlsCause } from './tls-probe.ts'
import { withoutSecrets } from './without-secrets.ts'

/** Reports what a line in the log of a client says, without its secrets, and as exactly as can be found out: so it comes a little later.
 *  @param isConnected the client has connected before
 *  @returns whether something is wrong */
export function reportLogLine(
  log: RdkafkaLog,
  isConnected: boolean,
  config: ProducerConfig,
  causes: CauseReporter,
): boolean {
  const line = { ...log, message: withoutSecrets(log.message, config) }
  const { transactionalId } = config
  const cause = causeOfLogLine(line, isConnected, { transactionalId })
  if (!cause) return false
  void reportExactly(cause, config, causes)
  return true
}

async function reportExactly(
  cause: KafkaCause,
  config: ProducerConfig,
  causes: CauseReporter,
): Promise<void> {
  causes.report(await exactTlsCause(cause, config))
}
