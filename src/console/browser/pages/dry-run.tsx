import type { JSX } from 'preact'
import { useState } from 'preact/hooks'
import { post } from '../api.ts'
import { count } from '../format.ts'
import { OperationAnswer } from '../parts/operation-answer.tsx'
import { parametersOf, valueOf } from '../parts/parameters-view.tsx'
import { useTask } from '../task.ts'
import { DryRunAnswer } from './dry-run-answer.tsx'

/** Asks on how many past changes the topic would have fired. */
export function DryRun({ id }: { readonly id: string }): JSX.Element {
  const [from, setFrom] = useState('')
  const [last, setLast] = useState('1000')
  const task = useTask<unknown>()
  const submit = (event: Event): void => {
    event.preventDefault()
    const body = {
      resourceType: 'Parameters',
      parameter: [
        ...(last === '' ? [] : [{ name: 'last', valueInteger: Number(last) }]),
        ...(from === '' ? [] : [{ name: 'from', valueDateTime: new Date(from).toISOString() }]),
      ],
    }
    task.run(() => post(`/topics/${encodeURIComponent(id)}/dry-run`, body))
  }
  const number = (name: string): string => {
    const value = valueOf(parametersOf(task.answer), name)
    return typeof value === 'number' ? count(value) : '–'
  }
  return (
    <section>
      <h2 id="dry-run">Dry run</h2>
      <form onSubmit={submit} class="form form-line">
        <label for="last">Most changes</label>
        <input
          id="last"
          type="number"
          min={1}
          value={last}
          onInput={(event) => {
            setLast(event.currentTarget.value)
          }}
        />
        <label for="from">Not before</label>
        <input
          id="from"
          type="datetime-local"
          value={from}
          onInput={(event) => {
            setFrom(event.currentTarget.value)
          }}
        />
        <button type="submit" disabled={task.isBusy}>
          Run
        </button>
      </form>
      <OperationAnswer task={task}>
        <p class="verdict">
          It would have fired on {number('fires')} of {number('examined')} changes;{' '}
          {number('undecided')} undecided.
        </p>
        <DryRunAnswer parameters={parametersOf(task.answer)} />
      </OperationAnswer>
    </section>
  )
}
