import type { ParametersParameter } from '@medplum/fhirtypes'
import type { Job } from '../outbox/jobs.ts'

/** How a job gets on. */
export function jobParameter(job: Job): ParametersParameter {
  const decimal = (name: string, value: number | undefined): ParametersParameter[] =>
    value === undefined ? [] : [{ name, valueDecimal: value }]
  const time = (name: string, at: Date | undefined): ParametersParameter[] =>
    at ? [{ name, valueDateTime: at.toISOString() }] : []
  return {
    name: 'job',
    part: [
      { name: 'id', valueInteger: Number(job.id) },
      { name: 'kind', valueCode: job.kind },
      { name: 'state', valueCode: job.state },
      ...decimal('total', job.total),
      ...decimal('sent', job.sent),
      ...decimal('failed', job.failed),
      ...(job.kind === 'backfill' ? decimal('passedOver', job.passedOver) : []),
      { name: 'maxPerSecond', valueInteger: job.maxPerSecond },
      ...(job.error === undefined ? [] : [{ name: 'error', valueString: job.error }]),
      ...time('startTimestamp', job.createdAt),
      ...time('endTimestamp', job.endedAt),
    ],
  }
}
