import type { JSX } from 'preact'
import { post } from '../api.ts'
import { count } from '../format.ts'
import { Notice } from '../parts/notice.tsx'
import { numberOf, parametersOf, textOf, type Parameter } from '../parts/parameters-view.tsx'
import { Time } from '../parts/time.tsx'
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
        <table class="stack">
          <thead>
            <tr>
              <th scope="col">Job</th>
              <th scope="col">State</th>
              <th scope="col">Progress</th>
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
  const text = (name: string): string => textOf(part, name)
  const number = (name: string): number => numberOf(part, name)
  const [job, kind, total] = [number('id'), text('kind'), number('total')]
  const failed = number('failed')
  const settled = number('sent') + failed + number('passedOver')
  const begun = text('startTimestamp')
  return (
    <tr>
      <th scope="row">
        {kind} {job}
      </th>
      <td data-label="State">
        <JobState state={text('state')} failed={failed} />
      </td>
      <td data-label="Progress">
        {total > 0 && (
          <progress
            class={failed > 0 ? 'is-bad' : ''}
            max={total}
            value={Math.min(total, settled)}
            aria-label={`${kind} ${job}`}
          />
        )}{' '}
        {count(settled)}
        {total > 0 ? ` of ${count(total)}` : ''}
        {failed > 0 && <strong class="error"> {count(failed)} failed</strong>}
        <span class="hint"> up to {count(number('maxPerSecond'))} a second</span>
      </td>
      <td data-label="Begun">{begun !== '' && <Time at={begun} />}</td>
      <td data-label="Error" class="text">
        {text('error')}
      </td>
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

const stateMarks: Readonly<Record<string, string>> = {
  done: 'ok',
  failed: 'error',
}

/** A job that has come to its end need not have done all of its work. */
function JobState({
  state,
  failed,
}: {
  readonly state: string
  readonly failed: number
}): JSX.Element {
  const isTrouble = state === 'done' && failed > 0
  return (
    <span class={`mark mark-${isTrouble ? 'error' : (stateMarks[state] ?? 'off')}`}>
      {isTrouble ? 'done with failures' : state}
    </span>
  )
}
