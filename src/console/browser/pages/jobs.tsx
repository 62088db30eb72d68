import type { JSX } from 'preact'
import { post } from '../api.ts'
import { count, dateTime } from '../format.ts'
import { Notice } from '../parts/notice.tsx'
import { parametersOf, valueOf, type Parameter } from '../parts/parameters-view.tsx'
import { useSession } from '../session.ts'
import { useRefreshed, useTask } from '../task.ts'

const refreshMs = 2000

/** What runs beside live events for a destination: redrive, replay, backfill. */
export function Jobs({ id }: { readonly id: string }): JSX.Element | null {
  const { mayWrite, operations } = useSession()
  const path = `/destinations/${encodeURIComponent(id)}`
  const { answer, error } = useRefreshed<unknown>(`${path}/status`, refreshMs)
  const cancel = useTask<unknown>()
  const jobs = parametersOf(answer).filter(({ name }) => name === 'job')
  if (jobs.length === 0) return null
  const end = (job: number): void => {
    const parameter = [{ name: 'job', valuePositiveInt: job }]
    cancel.run(() => post(`${path}/operations/cancel`, { resourceType: 'Parameters', parameter }))
  }
  return (
    <section>
      <h2 id="jobs">Jobs</h2>
      <Notice error={error ?? cancel.error} />
      <div class="scroll" tabIndex={0} role="region" aria-labelledby="jobs">
        <table>
          <thead>
            <tr>
              <th scope="col">Job</th>
              <th scope="col">State</th>
              <th scope="col">Progress</th>
              <th scope="col" class="number">
                Failed
              </th>
              <th scope="col">Begun</th>
              <th scope="col">Error</th>
              <th scope="col">
                <span class="unseen">Action</span>
              </th>
            </tr>
          </thead>
          <tbody>
            {jobs.map(({ part = [] }, index) => (
              <JobRow
                key={index}
                part={part}
                onEnd={mayWrite && operations.includes('cancel') ? end : undefined}
              />
            ))}
          </tbody>
        </table>
      </div>
    </section>
  )
}

interface JobRowProps {
  readonly part: readonly Parameter[]
  readonly onEnd: ((job: number) => void) | undefined
}

function JobRow({ part, onEnd }: JobRowProps): JSX.Element {
  const text = (name: string): string => {
    const value = valueOf(part, name)
    return typeof value === 'string' ? value : ''
  }
  const number = (name: string): number => Number(valueOf(part, name) ?? 0)
  const [job, kind, total] = [number('id'), text('kind'), number('total')]
  const settled = number('sent') + number('failed') + number('passedOver')
  const begun = text('startTimestamp')
  return (
    <tr>
      <th scope="row">
        {kind} {job}
      </th>
      <td>{text('state')}</td>
      <td>
        {total > 0 && (
          <progress max={total} value={Math.min(total, settled)} aria-label={`${kind} ${job}`} />
        )}{' '}
        {count(settled)}
        {total > 0 ? ` of ${count(total)}` : ''}
        <span class="hint"> up to {count(number('maxPerSecond'))} a second</span>
      </td>
      <td class="number">{count(number('failed'))}</td>
      <td class="time">{begun === '' ? '' : dateTime(begun)}</td>
      <td class="text">{text('error')}</td>
      <td>
        {onEnd && text('state') === 'running' && (
          <button
            type="button"
            aria-label={`Cancel ${kind} ${job}`}
            onClick={() => {
              onEnd(job)
            }}
          >
            Cancel
          </button>
        )}
      </td>
    </tr>
  )
}
