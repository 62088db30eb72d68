import type { JSX } from 'preact'
import type {
  KafkaTopicView,
  RetryPolicyView,
  TopicWriterView,
  TopologyView,
} from '../../api-views.ts'
import { withQuery } from '../api.ts'
import { count } from '../format.ts'
import { to } from '../location.ts'
import { Notice } from '../parts/notice.tsx'
import { Pager } from '../parts/pager.tsx'
import { SearchField } from '../parts/search-field.tsx'
import { useRefreshed } from '../task.ts'

const refreshMs = 30_000

/** What the topology file says. */
export function Topology({ query }: { readonly query: URLSearchParams }): JSX.Element {
  const search = query.get('search') ?? ''
  const path = withQuery('/topology', { search, page: query.get('page') ?? '' })
  const { answer, error } = useRefreshed<TopologyView>(path, refreshMs)
  return (
    <section>
      <h2 id="topology">Topology</h2>
      <Notice error={error} />
      {answer && (
        <p class="hint">
          As the file of {answer.name}
          {answer.environment === undefined ? '' : ` (${answer.environment})`} says it; the cluster
          is not asked.
        </p>
      )}
      <div class="filters">
        <SearchField value={search} label="Find by Kafka topic" />
      </div>
      {answer && <Topics rows={answer.rows} />}
      {answer && <Pager page={answer.page} pages={answer.pages} total={answer.total} />}
      {answer && answer.retryPolicies.length > 0 && <Policies rows={answer.retryPolicies} />}
    </section>
  )
}

function Topics({ rows }: { readonly rows: readonly KafkaTopicView[] }): JSX.Element {
  if (rows.length === 0) return <p class="hint">The file has no such Kafka topic.</p>
  return (
    <div class="scroll" tabIndex={0} role="region" aria-labelledby="topology">
      <table class="stack">
        <thead>
          <tr>
            <th scope="col">Kafka topic</th>
            <th scope="col" class="number">
              Partitions
            </th>
            <th scope="col">Kept</th>
            <th scope="col">Producers</th>
            <th scope="col">Consumers</th>
            <th scope="col">Retry policy</th>
            <th scope="col">Destinations</th>
          </tr>
        </thead>
        <tbody>
          {rows.map((row) => (
            <TopicRow key={row.name} row={row} />
          ))}
        </tbody>
      </table>
    </div>
  )
}

const kindWords = {
  topic: '',
  health: 'health',
  retry: 'retry',
  deadLetter: 'dead letters',
} as const

function TopicRow({ row }: { readonly row: KafkaTopicView }): JSX.Element {
  const { name, kind, source, description, destinations, replicationFactor } = row
  const kindText = [kindWords[kind], source === undefined ? '' : `of ${source}`]
  const hint = description ?? kindText.join(' ').trim()
  return (
    <tr>
      <th scope="row">
        {name}
        {hint !== '' && <span class="hint">{hint}</span>}
      </th>
      <td data-label="Partitions" class="number">
        {count(row.partitions)}
        <span class="hint"> × {count(replicationFactor)}</span>
      </td>
      <td data-label="Kept" class="time">
        {keptText(row)}
      </td>
      <td data-label="Producers">
        <Names names={row.producers} />
      </td>
      <td data-label="Consumers">
        <Names names={row.consumers} />
      </td>
      <td data-label="Retry policy">{row.retryPolicy ?? <None />}</td>
      <td data-label="Destinations">
        {destinations.length === 0 && <None />}
        <ul class="plain">
          {destinations.map((writer) => (
            <Writer key={writer.id} {...writer} />
          ))}
        </ul>
      </td>
    </tr>
  )
}

function keptText({ retention, isCompacted }: KafkaTopicView): string {
  const time = retention ?? 'cluster default'
  return isCompacted ? `${time}, compacted` : time
}

/** Tells where file and server differ. */
function Writer({ id, isDeclared, isStored }: TopicWriterView): JSX.Element {
  if (!isStored) {
    return (
      <li>
        {id} <span class="hint">not stored here</span>
      </li>
    )
  }
  return (
    <li>
      <a href={to('destinations', id)}>{id}</a>
      {!isDeclared && <span class="hint"> not in the file</span>}
    </li>
  )
}

function Names({ names }: { readonly names: readonly string[] }): JSX.Element {
  if (names.length === 0) return <None />
  return (
    <ul class="plain">
      {names.map((name) => (
        <li key={name}>{name}</li>
      ))}
    </ul>
  )
}

function None(): JSX.Element {
  return <span class="hint">–</span>
}

function Policies({ rows }: { readonly rows: readonly RetryPolicyView[] }): JSX.Element {
  return (
    <>
      <h3 id="policies">Retry policies</h3>
      <div class="scroll" tabIndex={0} role="region" aria-labelledby="policies">
        <table class="stack">
          <thead>
            <tr>
              <th scope="col">Policy</th>
              <th scope="col" class="number">
                Attempts
              </th>
              <th scope="col">Delays</th>
              <th scope="col">Longest age</th>
              <th scope="col">Then</th>
              <th scope="col">Not tried again</th>
            </tr>
          </thead>
          <tbody>
            {rows.map(({ name, attempts, delays, maxAge, then, deadOn }) => (
              <tr key={name}>
                <th scope="row">{name}</th>
                <td data-label="Attempts" class="number">
                  {attempts === undefined ? <None /> : count(attempts)}
                </td>
                <td data-label="Delays">{delays.length === 0 ? <None /> : delays.join(', ')}</td>
                <td data-label="Longest age">{maxAge ?? <None />}</td>
                <td data-label="Then">{then ?? <None />}</td>
                <td data-label="Not tried again">
                  <Names names={deadOn} />
                </td>
              </tr>
            ))}
          </tbody>
        </table>
      </div>
    </>
  )
}
