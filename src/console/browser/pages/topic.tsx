import type { JSX } from 'preact'
import type { TopicDetailView } from '../../api-views.ts'
import { countOf, rate } from '../format.ts'
import { useLive } from '../live.ts'
import { to } from '../location.ts'
import { HealthMark } from '../parts/health-mark.tsx'
import { Notice } from '../parts/notice.tsx'
import { DryRun } from './dry-run.tsx'
import { Explain } from './explain.tsx'

/** One topic: its triggers, who listens, and what it would do. */
export function TopicPage({ id }: { readonly id: string }): JSX.Element {
  const { view, error } = useLive<TopicDetailView>(`/topics/${encodeURIComponent(id)}`)
  return (
    <>
      <p class="crumbs">
        <a href="#/topics">Topics</a>
      </p>
      <h1 tabIndex={-1}>
        {id}{' '}
        {view && (
          <span class={`mark ${view.topic.status === 'active' ? 'mark-ok' : 'mark-off'}`}>
            {view.topic.status}
          </span>
        )}
      </h1>
      <Notice error={error} />
      {view && <Detail {...view} />}
    </>
  )
}

function Detail({ topic, destinations }: TopicDetailView): JSX.Element {
  return (
    <>
      <p class="hint url">{topic.url}</p>
      {topic.organization !== undefined && <p>Events of {topic.organization} only.</p>}
      {topic.fault !== undefined && <p class="why why-error">{topic.fault}</p>}
      <section>
        <h2 id="triggers">Triggers</h2>
        <div class="scroll" tabIndex={0} role="region" aria-labelledby="triggers">
          <table class="stack">
            <thead>
              <tr>
                <th scope="col">Resource</th>
                <th scope="col">Interactions</th>
                <th scope="col">Criteria</th>
              </tr>
            </thead>
            <tbody>
              {topic.triggers.map(({ resourceType, interactions, criteria }, index) => (
                <tr key={index}>
                  <th scope="row">{resourceType}</th>
                  <td data-label="Interactions">{interactions.join(', ')}</td>
                  <td data-label="Criteria" class="text">
                    {criteria === undefined ? (
                      <span class="hint">every change</span>
                    ) : (
                      <code>{criteria}</code>
                    )}
                  </td>
                </tr>
              ))}
            </tbody>
          </table>
        </div>
      </section>
      <section>
        <h2 id="listeners">
          Destinations{' '}
          <span class="hint">
            {countOf(topic.events, 'event')}, {rate(topic.deliveredPerSecond)} delivered a second
          </span>
        </h2>
        {destinations.length === 0 ? (
          <p class="hint">Nobody listens, so the topic is not matched.</p>
        ) : (
          <ul class="plain">
            {destinations.map(({ id, health }) => (
              <li key={id}>
                <a href={to('destinations', id)}>{id}</a> <HealthMark health={health} />
              </li>
            ))}
          </ul>
        )}
      </section>
      <Explain id={topic.id} />
      <DryRun id={topic.id} />
    </>
  )
}
