import type { ComponentChildren, JSX } from 'preact'
import type { Task } from '../task.ts'

export interface OperationAnswerProps {
  readonly task: Pick<Task<unknown>, 'answer' | 'error'>
  /** What is shown of the answer. */
  readonly children: ComponentChildren
}

/** What an operation of the FHIR server has answered, or why it has not. */
export function OperationAnswer({
  task: { answer, error },
  children,
}: OperationAnswerProps): JSX.Element {
  return (
    <div role="status" class="answer">
      {error && <p class="notice error">{error.message}</p>}
      {!error && answer !== undefined && children}
    </div>
  )
}
