import type { DeliveryMonitor, Overview } from '../../src/monitor/delivery-monitor.ts'

/** Resolves with the first look that is as wanted. What the console answers afterwards is at least as new. */
export function untilOverview(
  monitor: Pick<DeliveryMonitor, 'watch'>,
  wanted: (overview: Overview) => boolean,
): Promise<Overview> {
  return new Promise((resolve) => {
    const end = monitor.watch((overview) => {
      if (!overview || !wanted(overview)) return
      end()
      resolve(overview)
    })
  })
}
