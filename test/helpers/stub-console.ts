import { once } from 'node:events'
import type { AddressInfo } from 'node:net'
import express from 'express'
import {
  consoleRouter,
  type ConsoleFhirAnswer,
  type ConsoleOptions,
} from '../../src/console/index.ts'
import type { DeliveryMonitor, Overview } from '../../src/monitor/delivery-monitor.ts'
import { healths, type DestinationView, type Health } from '../../src/monitor/views.ts'
import type { CleanUp } from './postgres.ts'

export const stubAt = '2026-11-26T12:00:00.000Z'

const counts = {
  delivered: 10,
  failedAttempts: 0,
  inProcess: 0,
  queued: 0,
  dead: 2,
  undecided: 0,
  notKept: 0,
  notFired: 0,
  discarded: 0,
  lost: 0,
}

export const stubDestination: DestinationView = {
  reference: 'AidboxTopicDestination/lab',
  id: 'lab',
  kind: 'kafka-at-least-once',
  topicUrl: 'http://example.org/topic',
  kafkaTopic: 'lab',
  status: 'active',
  health: 'attention',
  why: '2 dead letters.',
  counts,
  errors: [],
  startedAt: stubAt,
  lastEventNumber: 12,
}

/** What a module with these destinations would tell. */
export function stubOverview(destinations: readonly DestinationView[]): Overview {
  const byHealth = Object.fromEntries(
    healths.map((health) => [health, destinations.filter((each) => each.health === health).length]),
    // One key for each health.
  ) as Record<Health, number>
  return {
    summary: {
      at: stubAt,
      destinations: destinations.length,
      byHealth,
      deliveredPerSecond: 0,
      waiting: 0,
      dead: 2,
      undecided: 0,
      lost: 0,
    },
    destinations,
  }
}

/** What stands in the place of a module, so that the pages are looked at alone. */
export function stubMonitor(parts: Partial<DeliveryMonitor> = {}): DeliveryMonitor {
  return {
    operations: ['redrive', 'discard', 'replay', 'backfill', 'cancel'],
    overview: () => Promise.resolve(stubOverview([stubDestination])),
    watch: () => () => undefined,
    keepSamples: () => undefined,
    nodes: () => Promise.resolve([]),
    series: () => ({ at: [], deliveredPerSecond: [], failedPerSecond: [], waiting: [] }),
    withLastHour: (view) => ({ ...view, lastHour: [] }),
    topicNames: () => [],
    topic: () => undefined,
    deadLetters: () => Promise.resolve([]),
    undecided: () => Promise.resolve([]),
    tail: () => () => undefined,
    ...parts,
  }
}

export interface StubConsoleOptions extends Pick<ConsoleOptions, 'health' | 'topology'> {
  readonly monitor?: Partial<DeliveryMonitor>
  readonly mayWrite?: boolean
}

export interface StubConsole {
  /** Of the console itself; a page is `${url}#/destinations/lab`. */
  readonly url: string
  /** Address and body of each POST that reached the FHIR server. */
  readonly calls: readonly (readonly [string, unknown])[]
}

/** The console over a stub of the module and of the FHIR server. */
export async function stubConsole(
  t: Pick<CleanUp, 'after'>,
  answer: (url: string, method: string) => ConsoleFhirAnswer,
  { monitor, mayWrite = true, health, topology }: StubConsoleOptions = {},
): Promise<StubConsole> {
  const calls: (readonly [string, unknown])[] = []
  const router = consoleRouter({
    module: { monitor: stubMonitor(monitor) },
    authorize: () => ({ mayWrite }),
    ...(health ? { health } : {}),
    ...(topology ? { topology } : {}),
    fhir: async ({ method, url, readBody }) => {
      const body = await readBody()
      if (method === 'POST') calls.push([url, body && 'parsed' in body ? body.parsed : undefined])
      return answer(url, method)
    },
  })
  const listener = express().use('/console', router).listen(0, '127.0.0.1')
  await once(listener, 'listening')
  t.after?.(async () => {
    router.close()
    listener.closeAllConnections()
    listener.close()
    await once(listener, 'close')
  })
  const { port } = listener.address() as AddressInfo
  return { url: `http://127.0.0.1:${port}/console/`, calls }
}
