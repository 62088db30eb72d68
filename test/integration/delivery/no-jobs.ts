import { JobCannotGoOn, type JobWork } from '../../../src/delivery/jobs/job-work.ts'
import type { JobKind } from '../../../src/outbox/jobs.ts'

const none: JobWork = {
  prepare: () => Promise.reject(new JobCannotGoOn('This test has no jobs.')),
}

/** For lanes of tests that are not about jobs. */
export const noJobs: Readonly<Record<JobKind, JobWork>> = {
  redrive: none,
  replay: none,
  backfill: none,
}
