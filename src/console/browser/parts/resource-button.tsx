import type { JSX } from 'preact'
import { get, withQuery } from '../api.ts'
import { useTask } from '../task.ts'
import { Dialog } from './dialog.tsx'

export interface ResourceButtonProps {
  readonly reference: string
  readonly versionId?: string | undefined
}

/** A reference. The resource itself is read when somebody asks, and shown if the FHIR server lets them read it. */
export function ResourceButton({ reference, versionId }: ResourceButtonProps): JSX.Element {
  const task = useTask<unknown>()
  const full = versionId === undefined ? reference : `${reference}/_history/${versionId}`
  const show = (): void => {
    task.run(() => get(withQuery('/resource', { reference: full })))
  }
  const text = task.error?.message ?? (task.answer && JSON.stringify(task.answer, undefined, 2))
  return (
    <>
      <button type="button" class="link" onClick={show}>
        {reference}
      </button>
      {versionId !== undefined && <span class="hint"> v{versionId}</span>}
      {typeof text === 'string' && (
        <Dialog title={full} onClose={task.clear}>
          <pre tabIndex={0}>{text}</pre>
        </Dialog>
      )}
    </>
  )
}
