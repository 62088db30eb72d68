import type { JSX } from 'preact'
import { useState } from 'preact/hooks'
import { post } from '../api.ts'
import { formParameters, type OperationField, type OperationForm } from '../operations.ts'
import { Dialog } from '../parts/dialog.tsx'
import { OperationAnswer } from '../parts/operation-answer.tsx'
import { parametersOf, valueOf, type Parameter } from '../parts/parameters-view.tsx'
import { useTask } from '../task.ts'

interface OperationDialogProps {
  readonly form: OperationForm
  /** Of the destination. */
  readonly id: string
  readonly onClose: () => void
}

/** Asks what an operation is to be about, calls it, and shows what it answers. */
export function OperationDialog({ form, id, onClose }: OperationDialogProps): JSX.Element {
  const [values, setValues] = useState<Readonly<Record<string, string>>>({})
  const task = useTask<unknown>()
  const put = (name: string, value: string): void => {
    setValues((before) => ({ ...before, [name]: value }))
  }
  const submit = (event: Event): void => {
    event.preventDefault()
    const path = `/destinations/${encodeURIComponent(id)}/operations/${form.code}`
    task.run(() => post(path, formParameters(form, values)))
  }
  return (
    <Dialog title={`${form.title}: ${id}`} onClose={onClose}>
      <form class="form" onSubmit={submit}>
        <p>{form.text}</p>
        <div class="fields">
          {form.fields.map((field) => (
            <Field key={field.name} field={field} value={values[field.name] ?? ''} onPut={put} />
          ))}
        </div>
        {form.needsSelection && (
          <label class="check">
            <input
              type="checkbox"
              checked={values['all'] === 'true'}
              onChange={(event) => {
                put('all', String(event.currentTarget.checked))
              }}
            />
            Everything that the fields above allow
          </label>
        )}
        {task.answer === undefined && (
          <button type="submit" class={form.isFinal ? 'danger' : 'primary'} disabled={task.isBusy}>
            {form.title}
          </button>
        )}
      </form>
      <OperationAnswer task={task}>
        <p class="verdict is-well">{doneText(parametersOf(task.answer))}</p>
      </OperationAnswer>
    </Dialog>
  )
}

/** A job goes on after the answer. */
function doneText(parameters: readonly Parameter[]): string {
  const { part } = parameters.find(({ name }) => name === 'job') ?? {}
  if (!part) return 'Done.'
  return `Job ${String(valueOf(part, 'id'))} has begun; how it gets on stands under Jobs.`
}

interface FieldProps {
  readonly field: OperationField
  readonly value: string
  readonly onPut: (name: string, value: string) => void
}

function Field({ field, value, onPut }: FieldProps): JSX.Element {
  const id = `field-${field.name}`
  return (
    <>
      <label for={id}>{field.label}</label>
      {field.kind === 'choice' ? (
        <select
          id={id}
          value={value}
          onChange={(event) => {
            onPut(field.name, event.currentTarget.value)
          }}
        >
          {(field.choices ?? []).map(([choice, words]) => (
            <option key={choice} value={choice}>
              {words}
            </option>
          ))}
        </select>
      ) : (
        <Input id={id} field={field} value={value} onPut={onPut} />
      )}
    </>
  )
}

function Input({ id, field, value, onPut }: FieldProps & { readonly id: string }): JSX.Element {
  const put = (event: Event & { readonly currentTarget: HTMLInputElement }): void => {
    onPut(field.name, event.currentTarget.value)
  }
  if (field.kind === 'number')
    return <input id={id} type="number" min={1} value={value} onInput={put} />
  if (field.kind === 'time') {
    return <input id={id} type="datetime-local" step={1} value={value} onInput={put} />
  }
  return <input id={id} type="text" value={value} onInput={put} />
}
