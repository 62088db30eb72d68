import type { ComponentChildren, JSX } from 'preact'
import { useEffect, useState } from 'preact/hooks'
import type { DeadLetterView, UndecidedView } from '../../../monitor/views.ts'
import type { ListView } from '../../api-views.ts'
import { get, withQuery } from '../api.ts'
import { count } from '../format.ts'
import { Notice } from '../parts/notice.tsx'
import { ResourceButton } from '../parts/resource-button.tsx'
import { Time } from '../parts/time.tsx'
import { useTask } from '../task.ts'

interface EventListProps {
  readonly id: string
  /** As counted now: when it changes the list is read again. */
  readonly total: number
}

export function DeadLetters({ id, total }: EventListProps): JSX.Element {
  return (
    <EventList<DeadLetterView>
      title="Dead letters"
      name="dead-letters"
      id={id}
      total={total}
      head={['Number', 'Change', 'Resource', 'Set aside', 'Cause']}
      cells={(row) => [
        count(row.eventNumber),
        row.interaction,
        <ResourceButton reference={row.resource} versionId={row.versionId} />,
        <Time at={row.failedAt} />,
        row.error,
      ]}
    />
  )
}

export function Undecided({ id, total }: EventListProps): JSX.Element {
  return (
    <EventList<UndecidedView>
      title="Undecided events"
      name="undecided"
      id={id}
      total={total}
      head={['Written', 'Change', 'Resource', 'Tries', 'Next try', 'Cause']}
      cells={(row) => [
        <Time at={row.at} />,
        row.interaction,
        <ResourceButton reference={row.resource} versionId={row.versionId} />,
        count(row.attempts),
        row.nextAttemptAt === undefined ? (
          'when the topic changes'
        ) : (
          <Time at={row.nextAttemptAt} />
        ),
        row.error,
      ]}
    />
  )
}

interface ListProps<Row> extends EventListProps {
  readonly title: string
  /** Of the route. */
  readonly name: string
  readonly head: readonly string[]
  readonly cells: (row: Row) => readonly ComponentChildren[]
}

interface Shown<Row> {
  readonly rows: readonly Row[]
  readonly hidden: number
}

function EventList<Row>({ title, name, id, total, head, cells }: ListProps<Row>): JSX.Element {
  const [{ rows, hidden }, setShown] = useState<Shown<Row>>({ rows: [], hidden: 0 })
  const task = useTask<ListView<Row>>()
  const load = (after: string): void => {
    task.run(async () => {
      const path = `/destinations/${encodeURIComponent(id)}/${name}`
      const list = await get<ListView<Row>>(withQuery(path, { after, size: 25 }))
      setShown((shown) => {
        const before = after === '' ? { rows: [], hidden: 0 } : shown
        return {
          rows: [...before.rows, ...list.rows],
          hidden: before.hidden + (list.hidden ?? 0),
        }
      })
      return list
    })
  }
  useEffect(() => {
    if (total > 0) load('')
  }, [total])
  const next = task.answer?.next
  return (
    <section>
      <h2 id={name}>
        {title} <span class="hint">{count(total)}</span>
      </h2>
      <Notice error={task.error} />
      {total === 0 && <p class="hint">None.</p>}
      {total > 0 && (
        <div class="scroll" tabIndex={0} role="region" aria-labelledby={name}>
          <table class="stack">
            <thead>
              <tr>
                {head.map((label) => (
                  <th key={label} scope="col">
                    {label}
                  </th>
                ))}
              </tr>
            </thead>
            <tbody>
              {rows.map((row, index) => (
                <tr key={index}>
                  {cells(row).map((cell, column) => (
                    <td
                      key={head[column]}
                      data-label={head[column]}
                      class={column === head.length - 1 ? 'text' : ''}
                    >
                      {cell}
                    </td>
                  ))}
                </tr>
              ))}
            </tbody>
          </table>
        </div>
      )}
      {total > 0 && hidden > 0 && (
        <p class="hint">{count(hidden)} of other organizations are left out.</p>
      )}
      {total > 0 && next !== undefined && (
        <button
          type="button"
          onClick={() => {
            load(next)
          }}
        >
          More
        </button>
      )}
    </section>
  )
}
