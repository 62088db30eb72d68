import type { ParametersParameter } from '@medplum/fhirtypes'
import type { Job } from '../outbox/jobs.ts'
import { optional } from '../topic-operations/output.ts'

/** How a job gets on. */
export function jobParameter(job: Job): ParametersParameter {
  const passedOver = job.kind === 'backfill' ? job.passedOver : undefined
  return {
    name: 'job',
    part: [
      { name: 'id', valueInteger: Number(job.id) },
      { name: 'kind', valueCode: job.kind },
      { name: 'state', valueCode: job.state },
      ...optional('total', 'valueDecimal', job.total),
      { name: 'sent', valueDecimal: job.sent },
      { name: 'failed', valueDecimal: job.failed },
      ...optional('passedOver', 'valueDecimal', passedOver),
      { name: 'maxPerSecond', valueInteger: job.maxPerSecond },
      ...optional('error', 'valueString', job.error),
      { name: 'startTimestamp', valueDateTime: job.createdAt.toISOString() },
      ...optional('endTimestamp', 'valueDateTime', job.endedAt?.toISOString()),
    ],
  }
}
