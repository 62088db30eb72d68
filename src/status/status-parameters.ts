import type { Parameters, ParametersParameter } from '@medplum/fhirtypes'
import { jobParameter } from '../destination-operations/job-parameter.ts'
import type { DeliveryStatus } from '../outbox/counters.ts'
import type { Job } from '../outbox/jobs.ts'

/** State of a destination beside its counters. */
export interface DestinationState {
  readonly status: 'active' | 'off' | 'error'
  /** Why `status` is `error`; absent otherwise. */
  readonly reason: string | undefined
  /** What to do about it. */
  readonly action?: string | undefined
}

/** FHIR dateTime, UTC, seconds. */
function dateTime(date: Date): string {
  return date.toISOString().replace(/\.\d{3}Z$/, 'Z')
}

function exactlyOnce({
  exactlyOnce: isKept,
  exactlyOnceFault,
}: DeliveryStatus): ParametersParameter[] {
  if (isKept === undefined) return []
  return [
    { name: 'exactlyOnce', valueBoolean: isKept },
    ...(exactlyOnceFault === undefined
      ? []
      : [{ name: 'exactlyOnceFault', valueString: exactlyOnceFault }]),
  ]
}

/** The answer of $status: Aidbox's parameters first, in its order and with its types, ours after them.
 *  Source: the tables of response parameters on Aidbox's "Kafka AidboxTopicDestination" page. */
export function statusParameters(
  counted: DeliveryStatus,
  state: DestinationState,
  jobs: readonly Job[] = [],
): Parameters {
  const decimal = (name: string, value: number): ParametersParameter => ({
    name,
    valueDecimal: value,
  })
  const isAtLeastOnce = counted.kind === 'kafka-at-least-once'
  return {
    resourceType: 'Parameters',
    parameter: [
      decimal('messagesDelivered', counted.delivered),
      ...(isAtLeastOnce ? [decimal('messagesDeliveryAttempts', counted.failedAttempts)] : []),
      decimal('messagesInProcess', counted.inProcess),
      isAtLeastOnce
        ? decimal('messagesQueued', counted.queued)
        : decimal('messagesLost', counted.lost),
      { name: 'startTimestamp', valueDateTime: dateTime(counted.startedAt) },
      { name: 'status', valueString: state.status },
      ...counted.lastErrors.map(({ message, timestamp }) => ({
        name: 'lastErrorDetail',
        part: [
          { name: 'message', valueString: message },
          { name: 'timestamp', valueDateTime: dateTime(timestamp) },
        ],
      })),
      ...(isAtLeastOnce
        ? [
            decimal('messagesDead', counted.dead),
            decimal('messagesUndecided', counted.undecided),
            decimal('messagesNotKept', counted.notKept),
            decimal('messagesNotFired', counted.notFired),
            decimal('messagesDiscarded', counted.discarded),
            ...exactlyOnce(counted),
          ]
        : counted.undecided > 0
          ? [decimal('messagesUndecided', counted.undecided)]
          : []),
      ...(state.reason === undefined ? [] : [{ name: 'statusReason', valueString: state.reason }]),
      ...jobs.map(jobParameter),
    ],
  }
}
