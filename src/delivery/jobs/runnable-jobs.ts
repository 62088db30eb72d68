import { listRunningJobs, noteJobError, type Job } from '../../outbox/jobs.ts'
import { olderNodes } from '../../outbox/node-presence.ts'
import type { OutboxSchema, Queryable } from '../../outbox/schema.ts'

const waiting = 'Waits for the end of nodes with an older version of this module'

/** The running jobs, unless they have to wait: a node of an older version could lead next, and take the page of a job that is on its way to Kafka for
 *  events of the log. `$status` shows what a job waits for. */
export async function runnableJobs(db: Queryable, schema: OutboxSchema): Promise<readonly Job[]> {
  const jobs = await listRunningJobs(db, schema)
  if (jobs.length === 0) return []
  const older = await olderNodes(db, schema)
  const reason = older.length === 0 ? undefined : `${waiting}: ${older.join(', ')}.`
  for (const { id, error } of jobs) {
    const isOver = reason === undefined && error?.startsWith(waiting) === true
    if (isOver || (reason !== undefined && error !== reason)) {
      await noteJobError(db, schema, id, reason)
    }
  }
  return reason === undefined ? jobs : []
}
