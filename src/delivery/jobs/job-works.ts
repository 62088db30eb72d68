import { boundedRead } from '../../host/bounded-read.ts'
import type { FhirHost } from '../../host/types.ts'
import type { JobKind } from '../../outbox/jobs.ts'
import { queuedVersions } from '../../outbox/queued-versions.ts'
import type { OutboxSchema, Queryable } from '../../outbox/schema.ts'
import { BackfillWork, type BackfillWorkParts } from './backfill-work.ts'
import type { JobWork } from './job-work.ts'
import { RedriveWork } from './redrive-work.ts'
import { ReplayWork } from './replay-work.ts'

export interface JobWorksParts {
  readonly db: Queryable
  readonly schema: OutboxSchema
  readonly host: Pick<FhirHost, 'read' | 'references' | 'history'>
  readonly registry: BackfillWorkParts['registry']
  /** Reads of the host are given up. */
  readonly signal: AbortSignal
}

/** A lane waits for it: a host that hangs must not stop live events for long. */
const readTimeoutMs = 2000
/** Nobody waits, but the job has to tell why it does not get on. */
const listTimeoutMs = 30_000

/** What each kind of job does. */
export function jobWork({
  db,
  schema,
  host,
  registry,
  signal,
}: JobWorksParts): Readonly<Record<JobKind, JobWork>> {
  const bounds = { timeoutMs: readTimeoutMs, signal }
  const { history } = host
  const read = boundedRead(host.read.bind(host), bounds)
  const readVersions = history && boundedRead(history.read.bind(history), bounds)
  const listing = { timeoutMs: listTimeoutMs, signal }
  const references = host.references && boundedRead(host.references.bind(host), listing)
  return {
    redrive: new RedriveWork(db, schema),
    replay: new ReplayWork({ db, schema, readVersions }),
    backfill: new BackfillWork({
      host: { read, ...(references && { references }) },
      registry,
      queuedVersions: (destinationId) => queuedVersions(db, schema, destinationId),
    }),
  }
}
