import type { JSX } from 'preact'
import { useEffect, useRef, useState } from 'preact/hooks'
import type { EventCounts } from '../../../outbox/event-counts.ts'
import { post } from '../api.ts'
import {
  formParameters,
  isOfAll,
  missingLimit,
  type OperationField,
  type OperationForm,
} from '../operations.ts'
import { CloseButton, Dialog } from '../parts/dialog.tsx'
import { OperationAnswer } from '../parts/operation-answer.tsx'
import { parametersOf, ParametersView, valueOf, type Parameter } from '../parts/parameters-view.tsx'
import { useTask } from '../task.ts'

interface OperationDialogProps {
  readonly form: OperationForm
  /** Of the destination. */
  readonly id: string
  readonly counts: EventCounts
  readonly onClose: () => void
}

/** Asks what an operation is to be about, calls it, and shows what it answers. */
export function OperationDialog({ form, id, counts, onClose }: OperationDialogProps): JSX.Element {
  const [values, setValues] = useState<Readonly<Record<string, string>>>({})
  const [missing, setMissing] = useState<string>()
  const task = useTask<unknown>()
  const element = useRef<HTMLFormElement>(null)
  useEffect(() => {
    const dialog = element.current?.closest('dialog')
    const isSaid = (missing ?? task.answer ?? task.error) !== undefined
    // What is said stands at the end of a form that may be longer than the window.
    if (dialog && isSaid) dialog.scrollTop = dialog.scrollHeight
  }, [missing, task.answer, task.error])
  const put = (name: string, value: string): void => {
    setValues((before) => ({ ...before, [name]: value }))
  }
  const submit = (event: Event): void => {
    event.preventDefault()
    const text = missingLimit(form, values)
    setMissing(text)
    if (text !== undefined) return
    const path = `/destinations/${encodeURIComponent(id)}/operations/${form.code}`
    task.run(() => post(path, formParameters(form, values)))
  }
  return (
    <Dialog title={`${form.title}: ${id}`} onClose={onClose}>
      <form ref={element} class="form" onSubmit={submit}>
        <p>{form.text}</p>
        {form.now && (
          <p>
            <strong>{form.now(counts)}</strong>
          </p>
        )}
        <div class="fields">
          {form.fields.map((field) => (
            <Field
              key={field.name}
              field={field}
              value={values[field.name] ?? ''}
              isDisabled={field.isLimit === true && isOfAll(values)}
              onPut={put}
            />
          ))}
        </div>
        {form.allLabel !== undefined && (
          <label class="check">
            <input
              type="checkbox"
              checked={isOfAll(values)}
              onChange={(event) => {
                put('all', String(event.currentTarget.checked))
              }}
            />
            {form.allLabel}
          </label>
        )}
        {missing !== undefined && (
          <p class="notice error" role="alert">
            {missing}
          </p>
        )}
        <OperationAnswer task={task}>
          <p class="verdict is-well">{doneText(parametersOf(task.answer))}</p>
          <ParametersView parameters={parametersOf(task.answer)} />
        </OperationAnswer>
        <div class="buttons">
          {task.answer === undefined && (
            <button
              type="submit"
              class={form.isFinal ? 'danger' : 'primary'}
              disabled={task.isBusy}
            >
              {form.title}
            </button>
          )}
          <CloseButton>{task.answer === undefined ? 'Cancel' : 'Close'}</CloseButton>
        </div>
      </form>
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
  readonly isDisabled: boolean
  readonly onPut: (name: string, value: string) => void
}

function Field({ field, value, isDisabled, onPut }: FieldProps): JSX.Element {
  const id = `field-${field.name}`
  return (
    <>
      <label for={id}>{field.label}</label>
      {field.kind === 'choice' ? (
        <select
          id={id}
          value={value}
          disabled={isDisabled}
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
        <Input id={id} field={field} value={value} isDisabled={isDisabled} onPut={onPut} />
      )}
    </>
  )
}

const inputTypes = {
  number: { type: 'number', min: 1 },
  time: { type: 'datetime-local', step: 1 },
  text: { type: 'text' },
} as const

function Input({
  id,
  field: { name, kind },
  value,
  isDisabled,
  onPut,
}: FieldProps & { readonly id: string }): JSX.Element {
  return (
    <input
      id={id}
      {...inputTypes[kind === 'choice' ? 'text' : kind]}
      value={value}
      disabled={isDisabled}
      onInput={(event) => {
        onPut(name, event.currentTarget.value)
      }}
    />
  )
}
