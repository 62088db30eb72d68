import type { Registry } from 'prom-client'
import { ifInstalled } from '../if-installed.ts'
import type { Logger } from '../observability/logger.ts'

/** A registry with the metrics of this process; undefined, and a line in the log, when prom-client is not installed. */
export async function loadMetrics(logger: Logger): Promise<Registry | undefined> {
  const client = await ifInstalled(() => import('prom-client'))
  if (!client) {
    logger.info({}, 'there is no /metrics: prom-client is not installed')
    return undefined
  }
  const registry = new client.Registry()
  client.collectDefaultMetrics({ register: registry })
  return registry
}
