import type { ComponentChildren, JSX } from 'preact'
import { useEffect, useRef } from 'preact/hooks'

export interface DialogProps {
  readonly title: string
  readonly onClose: () => void
  readonly children: ComponentChildren
}

interface CloseButtonProps {
  readonly class?: string
  /** Where the content is no word. */
  readonly 'aria-label'?: string
  readonly children: ComponentChildren
}

/** Closes the dialog that it stands in. */
export function CloseButton({ children, ...more }: CloseButtonProps): JSX.Element {
  return (
    <button
      type="button"
      {...more}
      onClick={(event) => {
        event.currentTarget.closest('dialog')?.close()
      }}
    >
      {children}
    </button>
  )
}

/** A modal dialog. The browser keeps the focus inside, and gives it back where it was. */
export function Dialog({ title, onClose, children }: DialogProps): JSX.Element {
  const dialog = useRef<HTMLDialogElement>(null)
  useEffect(() => {
    dialog.current?.showModal()
  }, [])
  return (
    <dialog ref={dialog} aria-labelledby="dialog-title" onClose={onClose}>
      <header>
        <h2 id="dialog-title">{title}</h2>
        <CloseButton class="quiet" aria-label="Close">
          ✕
        </CloseButton>
      </header>
      {children}
    </dialog>
  )
}
