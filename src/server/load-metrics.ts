import type { Registry } from 'prom-client'
import type { Logger } from '../observability/logger.ts'

/** A registry with the metrics of this process; undefined, and a line in the log, when prom-client is not installed. */
export async function loadMetrics(logger: Logger): Promise<Registry | undefined> {
  try {
    const { collectDefaultMetrics, Registry } = await import('prom-client')
    const registry = new Registry()
    collectDefaultMetrics({ register: registry })
    return registry
  } catch (error) {
    if (!(error instanceof Error && 'code' in error && error.code === 'ERR_MODULE_NOT_FOUND')) {
      throw error
    }
    logger.info({}, 'there is no /metrics: prom-client is not installed')
    return undefined
  }
}
