import type { JSX } from 'preact'
import { healths, type DestinationRowView, type Summary } from '../../../monitor/views.ts'
import { waitingOf } from '../../../outbox/event-counts.ts'
import type { DestinationsView } from '../../api-views.ts'
import { withQuery } from '../api.ts'
import { age, count, countOf, dateTime, rate } from '../format.ts'
import { useLive } from '../live.ts'
import { putQuery, to } from '../location.ts'
import { HealthMark, healthWord } from '../parts/health-mark.tsx'
import { Notice } from '../parts/notice.tsx'
import { Pager } from '../parts/pager.tsx'
import { SearchField } from '../parts/search-field.tsx'
import { SparkLine } from '../parts/spark-line.tsx'
import { useTitleNumber } from '../tab-title.ts'

/** What is wrong, and all destinations, the worst first. */
export function DestinationsPage({ query }: { readonly query: URLSearchParams }): JSX.Element {
  const search = query.get('search') ?? ''
  const health = query.get('health') ?? ''
  const page = query.get('page') ?? ''
  const { view, error } = useLive<DestinationsView>(
    withQuery('/destinations', { search, health, page }),
  )
  return (
    <>
      <h1 tabIndex={-1}>Destinations</h1>
      <Notice error={error} />
      {view && <Verdict summary={view.summary} />}
      {view && <Figures summary={view.summary} />}
      <div class="filters">
        <SearchField value={search} label="Find by id, topic or Kafka topic" />
        <HealthFilter health={health} summary={view?.summary} />
      </div>
      {view && view.summary.destinations > 0 && (
        <DestinationTable rows={view.rows} now={view.summary.at} />
      )}
      {view && view.total > 0 && <Pager page={view.page} pages={view.pages} total={view.total} />}
    </>
  )
}

/** The healths that need somebody, in words for one destination and for several. Attention alone does not keep events from flowing. */
const needs = [
  ['error', 'has an error', 'have an error'],
  ['stuck', 'is stuck', 'are stuck'],
  ['losing', 'loses events', 'lose events'],
  ['behind', 'is behind', 'are behind'],
  ['attention', 'needs attention', 'need attention'],
] as const

/** The first thing to read: whether events flow, and how many destinations need somebody. */
function Verdict({
  summary: { byHealth, destinations },
}: {
  readonly summary: Summary
}): JSX.Element {
  const needy = needs.filter(([health]) => byHealth[health] > 0)
  useTitleNumber(needy.reduce((sum, [health]) => sum + byHealth[health], 0))
  if (destinations === 0) return <p class="verdict">There are no destinations yet.</p>
  if (needy.length === 0) {
    return <p class="verdict is-well">Events flow to all destinations that are not paused.</p>
  }
  const isFlowing = needy.every(([health]) => health === 'attention')
  const parts = needy.map(([health, one, several]) => {
    const number = byHealth[health]
    return `${count(number)} ${number === 1 ? one : several}`
  })
  return (
    <p class={`verdict ${isFlowing ? 'is-warned' : 'is-wrong'}`}>
      {isFlowing && 'Events flow. '}Of {countOf(destinations, 'destination')}: {parts.join(', ')}.
    </p>
  )
}

function Figures({ summary }: { readonly summary: Summary }): JSX.Element {
  const figures: readonly (readonly [string, string, boolean?])[] = [
    ['Delivered a second', rate(summary.deliveredPerSecond)],
    ['Waiting', count(summary.waiting)],
    ['Oldest waiting', age(summary.oldestQueuedAt, summary.at)],
    ['Dead letters', count(summary.dead), summary.dead > 0],
    ['Undecided', count(summary.undecided), summary.undecided > 0],
    ['Lost (best effort)', count(summary.lost), summary.lost > 0],
  ]
  return (
    <dl class="figures">
      {figures.map(([label, value, isNotable = false]) => (
        <div key={label} class={isNotable ? 'is-notable' : ''}>
          <dt>{label}</dt>
          <dd>{value}</dd>
        </div>
      ))}
    </dl>
  )
}

function HealthFilter({
  health,
  summary,
}: {
  readonly health: string
  readonly summary: Summary | undefined
}): JSX.Element {
  return (
    <select
      aria-label="State"
      value={health}
      onChange={(event) => {
        putQuery({ health: event.currentTarget.value, page: '' })
      }}
    >
      <option value="">All states ({count(summary?.destinations ?? 0)})</option>
      {healths.map((each) => (
        <option key={each} value={each}>
          {healthWord(each)} ({count(summary?.byHealth[each] ?? 0)})
        </option>
      ))}
    </select>
  )
}

interface DestinationTableProps {
  readonly rows: readonly DestinationRowView[]
  /** Time of the figures. */
  readonly now: string
}

function DestinationTable({ rows, now }: DestinationTableProps): JSX.Element {
  if (rows.length === 0) return <p class="hint">None is as looked for.</p>
  return (
    <div class="scroll" tabIndex={0} role="region" aria-label="Table of destinations">
      <table class="destinations">
        <thead>
          <tr>
            <th scope="col">Destination</th>
            <th scope="col">State</th>
            <th scope="col" class="number middle">
              Events/s
            </th>
            <th scope="col" class="number">
              Waiting
            </th>
            <th scope="col" class="number">
              Oldest
            </th>
            <th scope="col" class="wide">
              Last hour
            </th>
            <th scope="col" class="wide">
              Last error
            </th>
            <th scope="col" class="wide">
              Node
            </th>
          </tr>
        </thead>
        <tbody>
          {rows.map((row) => (
            <DestinationRow key={row.reference} row={row} now={now} />
          ))}
        </tbody>
      </table>
    </div>
  )
}

function DestinationRow({
  row,
  now,
}: {
  readonly row: DestinationRowView
  readonly now: string
}): JSX.Element {
  const { counts, errors } = row
  const [newest] = errors
  const kind = row.kind === 'kafka-at-least-once' ? 'at least once' : 'best effort'
  return (
    <tr class={`row-${row.health}`}>
      <th scope="row">
        <a href={to('destinations', row.id)}>{row.id}</a>
        <span class="hint">
          {kind}
          {row.kafkaTopic === undefined ? '' : ` → ${row.kafkaTopic}`}
        </span>
        {row.why !== undefined && <span class="why">{row.why}</span>}
      </th>
      <td>
        <HealthMark health={row.health} />
      </td>
      <td class="number middle">{rate(row.deliveredPerSecond)}</td>
      <td class="number">{count(waitingOf(counts))}</td>
      <td class="number">{age(row.oldestQueuedAt, now)}</td>
      <td class="wide">
        <SparkLine values={row.lastHour} label="Delivered" />
      </td>
      <td class="wide">
        {newest ? (
          <span class="last-error" title={`${newest.message} (${dateTime(newest.at)})`}>
            <span class="hint">{age(newest.at, now)} ago</span> {newest.message}
          </span>
        ) : (
          <span class="hint">none</span>
        )}
      </td>
      <td class="wide">
        <span class="hint">{row.leader?.name ?? '–'}</span>
      </td>
    </tr>
  )
}
