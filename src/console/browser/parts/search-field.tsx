import type { JSX } from 'preact'
import { useEffect, useState } from 'preact/hooks'
import { putQuery } from '../location.ts'

const settleMs = 250

/** Filters the list of the page by a part of the name. */
export function SearchField({
  value,
  label,
}: {
  readonly value: string
  readonly label: string
}): JSX.Element {
  const [text, setText] = useState(value)
  useEffect(() => {
    if (text === value) return undefined
    const timer = window.setTimeout(() => {
      putQuery({ search: text, page: '' })
    }, settleMs)
    return () => {
      window.clearTimeout(timer)
    }
  }, [text])
  return (
    <input
      type="search"
      class="search"
      aria-label={label}
      placeholder={label}
      value={text}
      onInput={(event) => {
        setText(event.currentTarget.value)
      }}
    />
  )
}
