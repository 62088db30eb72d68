import type { JSX } from 'preact'
import type { Page } from '../../api-views.ts'
import { count } from '../format.ts'
import { putQuery } from '../location.ts'

/** Goes through the pages of a list. */
export function Pager({ page, pages, total }: Omit<Page<never>, 'rows'>): JSX.Element | null {
  if (pages < 2) return <p class="hint pager">{count(total)} in all</p>
  const goTo = (wanted: number) => () => {
    putQuery({ page: wanted === 1 ? '' : String(wanted) })
  }
  return (
    <nav class="pager" aria-label="Pages of the list">
      <button type="button" disabled={page === 1} onClick={goTo(page - 1)}>
        Previous
      </button>
      <span>
        Page {count(page)} of {count(pages)}, {count(total)} in all
      </span>
      <button type="button" disabled={page === pages} onClick={goTo(page + 1)}>
        Next
      </button>
    </nav>
  )
}
