import type { JSX } from 'preact'
import { useEffect, useState } from 'preact/hooks'
import type { DestinationView } from '../../../monitor/views.ts'
import { post } from '../api.ts'
import { to } from '../location.ts'
import { operationForms, type OperationForm } from '../operations.ts'
import { useSession } from '../session.ts'
import { useTask } from '../task.ts'
import { OperationDialog } from './operation-dialog.tsx'

interface ActionsProps {
  readonly destination: DestinationView
}

/** What can be done with a destination. */
export function Actions({ destination }: ActionsProps): JSX.Element {
  const { mayWrite, operations } = useSession()
  const [asked, setAsked] = useState<OperationForm>()
  const isAtLeastOnce = destination.kind === 'kafka-at-least-once'
  const offered = operationForms.filter(
    ({ code }) => mayWrite && isAtLeastOnce && operations.includes(code),
  )
  const obstacles = [
    ...new Set(offered.flatMap(({ obstacle }) => obstacle?.(destination.counts) ?? [])),
  ]
  return (
    <div class="actions">
      {mayWrite && <PauseButton destination={destination} />}
      {offered.map((form) => (
        <button
          key={form.code}
          type="button"
          class={form.isFinal ? 'danger' : ''}
          disabled={form.obstacle?.(destination.counts) !== undefined}
          aria-describedby={form.obstacle && 'obstacles'}
          onClick={() => {
            setAsked(form)
          }}
        >
          {form.title} …
        </button>
      ))}
      <a href={`${to('tail')}?destination=${encodeURIComponent(destination.id)}`}>
        Watch what is sent
      </a>
      <span id="obstacles" class="hint">
        {obstacles.join(' ')}
      </span>
      {asked && (
        <OperationDialog
          form={asked}
          id={destination.id}
          counts={destination.counts}
          onClose={() => {
            setAsked(undefined)
          }}
        />
      )}
    </div>
  )
}

/** In case somebody else has changed it back before it was seen. */
const longestCatchUpMs = 10_000

function PauseButton({ destination: { id, status } }: ActionsProps): JSX.Element {
  const task = useTask<'off' | 'active'>()
  /** What the server has taken and the page does not show yet. */
  const [awaited, setAwaited] = useState<'off' | 'active'>()
  const isOff = status === 'off'
  const isAwaiting = awaited !== undefined && (awaited === 'off') !== isOff
  useEffect(() => {
    if (awaited === undefined) return undefined
    const end = (): void => {
      setAwaited(undefined)
    }
    const timer = window.setTimeout(end, isAwaiting ? longestCatchUpMs : 0)
    return () => {
      window.clearTimeout(timer)
    }
  }, [awaited, isAwaiting])
  const change = (): void => {
    task.run(async () => {
      const wanted = isOff ? 'active' : 'off'
      await post(`/destinations/${encodeURIComponent(id)}/status`, { status: wanted })
      setAwaited(wanted)
      return wanted
    })
  }
  const word = { off: 'Paused.', active: 'Resumed.' }
  return (
    <>
      <button type="button" class="primary" disabled={task.isBusy || isAwaiting} onClick={change}>
        {isOff ? 'Resume' : 'Pause'}
      </button>
      <span class="hint" role="status">
        {task.error?.message ?? (task.answer && !isAwaiting ? word[task.answer] : '')}
      </span>
    </>
  )
}
