import type { JSX } from 'preact'
import type { DestinationView } from '../../../monitor/views.ts'
import { hasCount, type EventCounts } from '../../../outbox/event-counts.ts'
import type { DestinationDetailView } from '../../api-views.ts'
import { count, duration, time } from '../format.ts'
import { useLive } from '../live.ts'
import { to } from '../location.ts'
import { useNowMs } from '../now.ts'
import { HealthMark } from '../parts/health-mark.tsx'
import { Notice } from '../parts/notice.tsx'
import { TimeChart } from '../parts/time-chart.tsx'
import { Actions } from './destination-actions.tsx'
import { Jobs } from './jobs.tsx'
import { DeadLetters, Undecided } from './event-lists.tsx'
import { Time } from '../parts/time.tsx'
import { Settings } from './settings.tsx'

/** An hour but for the samples that it may begin and end with. */
const wholeHourMs = 3_600_000 - 60_000

/** One destination: how it does, why, and what can be done. */
export function DestinationPage({ id }: { readonly id: string }): JSX.Element {
  const { view, error } = useLive<DestinationDetailView>(`/destinations/${encodeURIComponent(id)}`)
  return (
    <>
      <p class="crumbs">
        <a href="#/destinations">Destinations</a>
      </p>
      <h1 tabIndex={-1}>
        {id} {view && <HealthMark health={view.destination.health} />}
      </h1>
      <Notice error={error} />
      {view && <Detail {...view} />}
    </>
  )
}

function Detail({ destination, topicId, series }: DestinationDetailView): JSX.Element {
  const isBestEffort = destination.kind === 'kafka-best-effort'
  return (
    <>
      {destination.why !== undefined && (
        <p class={`why why-${destination.health}`}>
          {destination.why}
          {destination.action !== undefined && <strong>What to do: {destination.action}</strong>}
        </p>
      )}
      <Actions destination={destination} />
      {!isBestEffort && <Jobs id={destination.id} />}
      <div class="columns">
        <Facts destination={destination} topicId={topicId} />
        <Counts destination={destination} />
      </div>
      <section>
        <h2 id="charts">
          Last hour <SampledSince series={series} />
        </h2>
        <p class="hint">
          One sample each 15 seconds, in the memory of the node that answers since it started.
        </p>
        <div class="columns">
          <TimeChart
            title="Events a second"
            at={series.at}
            lines={[
              { label: 'delivered', values: series.deliveredPerSecond, color: '--line-1' },
              {
                label: isBestEffort ? 'lost' : 'failed attempts',
                values: series.failedPerSecond,
                color: '--line-2',
              },
            ]}
          />
          <TimeChart
            title="Events that wait"
            at={series.at}
            lines={[{ label: 'waiting', values: series.waiting, color: '--line-1' }]}
          />
        </div>
      </section>
      <Errors destination={destination} />
      {!isBestEffort && <DeadLetters id={destination.id} total={destination.counts.dead} />}
      {!isBestEffort && <Undecided id={destination.id} total={destination.counts.undecided} />}
      <Settings id={destination.id} version={destination.status} />
    </>
  )
}

/** Of the first hour only: the charts begin later than it. */
function SampledSince({ series: { at } }: Pick<DestinationDetailView, 'series'>): JSX.Element {
  const [first, last] = [at[0], at.at(-1)]
  const isWhole =
    first === undefined || last === undefined || Date.parse(last) - Date.parse(first) >= wholeHourMs
  return <>{!isWhole && <span class="hint">sampled since {time(first)}</span>}</>
}

type FactsProps = Pick<DestinationDetailView, 'destination' | 'topicId'>

function Facts({ destination, topicId }: FactsProps): JSX.Element {
  const { leader, exactlyOnce, exactlyOnceFault } = destination
  const isBestEffort = destination.kind === 'kafka-best-effort'
  const facts: readonly (readonly [string, JSX.Element | string])[] = [
    ['Kind', isBestEffort ? 'best effort' : 'at least once'],
    [
      'Topic',
      topicId === undefined ? (
        destination.topicUrl
      ) : (
        <a href={to('topics', topicId)}>{destination.topicUrl}</a>
      ),
    ],
    ['Kafka topic', destination.kafkaTopic ?? 'not known'],
    ...(destination.organization === undefined
      ? []
      : [['Organization', destination.organization] as const]),
    ...(isBestEffort
      ? []
      : [
          [
            'Delivered by',
            leader
              ? `${leader.name}${leader.isThisNode ? ' (this node)' : ''}`
              : 'nobody at present',
          ] as const,
        ]),
    ...retryFacts(destination),
    ['Created', <Time at={destination.startedAt} />],
    ...(isBestEffort
      ? []
      : [
          [
            'Last activity',
            destination.lastActivityAt ? <Time at={destination.lastActivityAt} /> : 'none yet',
          ] as const,
          ['Last event number', count(destination.lastEventNumber)] as const,
          [
            'Exactly once',
            exactlyOnce === undefined
              ? 'not known before the first delivery'
              : exactlyOnce
                ? 'yes, by checkpoints in Kafka'
                : `no: ${exactlyOnceFault ?? 'switched off'}`,
          ] as const,
          ['Checkpoint on', destination.checkpointTopic ?? 'none yet'] as const,
        ]),
  ]
  return (
    <section>
      <h2 id="facts">Facts</h2>
      <dl class="facts">
        {facts.map(([label, value]) => (
          <div key={label}>
            <dt>{label}</dt>
            <dd>{value}</dd>
          </div>
        ))}
      </dl>
    </section>
  )
}

function retryFacts({ lane, leader }: DestinationView): readonly (readonly [string, string])[] {
  if (!lane) {
    return leader && !leader.isThisNode
      ? [['Retry', `only ${leader.name} knows how often it has tried`]]
      : []
  }
  const { isConnected, failures, waitsUpToMs } = lane
  return [
    ['Connection', isConnected ? 'open' : 'closed'],
    [
      'Retry',
      failures === 0
        ? 'no failure since the last success'
        : `${count(failures)} failed since the last success; waits up to ${duration(waitsUpToMs)} between attempts`,
    ],
  ]
}

const countLabels: Readonly<Record<keyof EventCounts, string>> = {
  delivered: 'Delivered',
  inProcess: 'In process',
  queued: 'Queued',
  failedAttempts: 'Failed attempts',
  dead: 'Dead letters',
  undecided: 'Undecided',
  notKept: 'Undecided, not kept',
  notFired: 'Decided: not selected',
  discarded: 'Discarded',
  lost: 'Lost',
}

function Counts({ destination }: { readonly destination: DestinationView }): JSX.Element {
  const { counts, kind, oldestQueuedAt } = destination
  const names = (Object.keys(countLabels) as (keyof EventCounts)[]).filter((name) =>
    hasCount(kind, name),
  )
  return (
    <section>
      <h2 id="counts">Counts</h2>
      <dl class="facts counts">
        {names.map((name) => (
          <div key={name}>
            <dt>{countLabels[name]}</dt>
            <dd data-count={name}>{count(counts[name])}</dd>
          </div>
        ))}
        {oldestQueuedAt !== undefined && (
          <div>
            <dt>Oldest waits for</dt>
            <dd data-count="oldest">
              <Since at={oldestQueuedAt} />
            </dd>
          </div>
        )}
      </dl>
    </section>
  )
}

/** Goes on while nothing else changes, as where it is paused. */
function Since({ at }: { readonly at: string }): JSX.Element {
  const nowMs = useNowMs()
  return (
    <>
      {duration(nowMs - Date.parse(at))}{' '}
      <span class="hint">
        since <Time at={at} />
      </span>
    </>
  )
}

function Errors({ destination }: { readonly destination: DestinationView }): JSX.Element {
  return (
    <section>
      <h2 id="errors">Errors</h2>
      {destination.errors.length === 0 ? (
        <p class="hint">None.</p>
      ) : (
        <div class="scroll" tabIndex={0} role="region" aria-labelledby="errors">
          <table class="stack">
            <thead>
              <tr>
                <th scope="col">Last seen</th>
                <th scope="col">Cause</th>
              </tr>
            </thead>
            <tbody>
              {destination.errors.map(({ at, message }) => (
                <tr key={message}>
                  <td data-label="Last seen">
                    <Time at={at} />
                  </td>
                  <td data-label="Cause" class="text">
                    {message}
                  </td>
                </tr>
              ))}
            </tbody>
          </table>
        </div>
      )}
    </section>
  )
}
