import type { JSX } from 'preact'
import type { TopicView } from '../../../monitor/views.ts'
import type { Page } from '../../api-views.ts'
import { withQuery } from '../api.ts'
import { count, rate } from '../format.ts'
import { useLive } from '../live.ts'
import { to } from '../location.ts'
import { Notice } from '../parts/notice.tsx'
import { Pager } from '../parts/pager.tsx'
import { SearchField } from '../parts/search-field.tsx'

/** All topics, by url. */
export function TopicsPage({ query }: { readonly query: URLSearchParams }): JSX.Element {
  const search = query.get('search') ?? ''
  const page = query.get('page') ?? ''
  const { view, error } = useLive<Page<TopicView>>(withQuery('/topics', { search, page }))
  return (
    <>
      <h1 tabIndex={-1}>Topics</h1>
      <Notice error={error} />
      <div class="filters">
        <SearchField value={search} label="Find by url or id" />
      </div>
      {view && (
        <div class="scroll" tabIndex={0} role="region" aria-label="Table of topics">
          <table class="stack">
            <thead>
              <tr>
                <th scope="col">Topic</th>
                <th scope="col">Status</th>
                <th scope="col">Triggers</th>
                <th scope="col" class="number">
                  Destinations
                </th>
                <th scope="col" class="number">
                  Events
                </th>
                <th scope="col" class="number">
                  Events/s
                </th>
              </tr>
            </thead>
            <tbody>
              {view.rows.map((topic) => (
                <TopicRow key={topic.reference} topic={topic} />
              ))}
            </tbody>
          </table>
        </div>
      )}
      {view && <Pager page={view.page} pages={view.pages} total={view.total} />}
    </>
  )
}

function TopicRow({ topic }: { readonly topic: TopicView }): JSX.Element {
  const isWrong = topic.status !== 'active' || topic.fault !== undefined
  return (
    <tr>
      <th scope="row">
        <a href={to('topics', topic.id)}>{topic.id}</a>
        <span class="hint">{topic.url}</span>
        {topic.fault !== undefined && <span class="why">{topic.fault}</span>}
      </th>
      <td data-label="Status">
        <span class={`mark ${isWrong ? 'mark-off' : 'mark-ok'}`}>{topic.status}</span>
      </td>
      <td data-label="Triggers">
        {topic.triggers.map(({ resourceType, interactions, criteria }, index) => (
          <span key={index} class="trigger">
            {resourceType} <span class="hint">{interactions.join(', ')}</span>
            {criteria !== undefined && <code>{criteria}</code>}
          </span>
        ))}
      </td>
      <td data-label="Destinations" class="number">
        {count(topic.destinations.length)}
      </td>
      <td data-label="Events" class="number">
        {count(topic.events)}
      </td>
      <td data-label="Events/s" class="number">
        {rate(topic.deliveredPerSecond)}
      </td>
    </tr>
  )
}
