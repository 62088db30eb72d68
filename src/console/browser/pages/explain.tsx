import type { JSX } from 'preact'
import { useState } from 'preact/hooks'
import { post } from '../api.ts'
import { OperationAnswer } from '../parts/operation-answer.tsx'
import { parametersOf, valueOf } from '../parts/parameters-view.tsx'
import { useTask } from '../task.ts'
import { ExplainAnswer } from './explain-answer.tsx'

/** Asks whether the topic fires on a change, and why. */
export function Explain({ id }: { readonly id: string }): JSX.Element {
  const [current, setCurrent] = useState('')
  const [previous, setPrevious] = useState('')
  const task = useTask<unknown>()
  const submit = (event: Event): void => {
    event.preventDefault()
    const body = {
      resourceType: 'Parameters',
      parameter: [...stateParameter('current', current), ...stateParameter('previous', previous)],
    }
    task.run(() => post(`/topics/${encodeURIComponent(id)}/explain`, body))
  }
  const fires = valueOf(parametersOf(task.answer), 'fires')
  return (
    <section>
      <h2 id="explain">Explain</h2>
      <form onSubmit={submit} class="form">
        <label for="current">Version after the change</label>
        <textarea
          id="current"
          rows={3}
          value={current}
          placeholder="Patient/1, Patient/1/_history/3, or a resource as JSON; empty for a deletion"
          onInput={(event) => {
            setCurrent(event.currentTarget.value)
          }}
        />
        <label for="previous">Version before it</label>
        <textarea
          id="previous"
          rows={3}
          value={previous}
          placeholder="Empty for a creation"
          onInput={(event) => {
            setPrevious(event.currentTarget.value)
          }}
        />
        <button type="submit" disabled={task.isBusy}>
          Explain
        </button>
      </form>
      <OperationAnswer task={task}>
        <p class={`verdict ${fires === true ? 'is-well' : ''}`}>{verdict(fires)}</p>
        <ExplainAnswer parameters={parametersOf(task.answer)} />
      </OperationAnswer>
    </section>
  )
}

function verdict(fires: unknown): string {
  if (fires === true) return 'The topic fires on this change.'
  return fires === false
    ? 'The topic does not fire on this change.'
    : 'It cannot be decided whether the topic fires on this change.'
}

function stateParameter(name: string, text: string): readonly object[] {
  const trimmed = text.trim()
  if (trimmed === '') return []
  if (!trimmed.startsWith('{')) return [{ name, valueReference: { reference: trimmed } }]
  try {
    return [{ name, resource: JSON.parse(trimmed) as unknown }]
  } catch {
    return [{ name, resource: trimmed }]
  }
}
