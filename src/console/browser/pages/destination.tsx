import type { JSX } from 'preact'
import { useState } from 'preact/hooks'
import type { DestinationView } from '../../../monitor/views.ts'
import { hasCount, type EventCounts } from '../../../outbox/event-counts.ts'
import type { DestinationDetailView } from '../../api-views.ts'
import { post } from '../api.ts'
import { count, dateTime, duration } from '../format.ts'
import { useLive } from '../live.ts'
import { to } from '../location.ts'
import { useNowMs } from '../now.ts'
import { operationForms, type OperationForm } from '../operations.ts'
import { HealthMark } from '../parts/health-mark.tsx'
import { Notice } from '../parts/notice.tsx'
import { TimeChart } from '../parts/time-chart.tsx'
import { useSession } from '../session.ts'
import { useTask } from '../task.ts'
import { Jobs } from './jobs.tsx'
import { OperationDialog } from './operation-dialog.tsx'
import { DeadLetters, Undecided } from './event-lists.tsx'
import { Settings } from './settings.tsx'

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

function Detail({ destination, series }: DestinationDetailView): JSX.Element {
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
        <Facts destination={destination} />
        <Counts destination={destination} />
      </div>
      <section>
        <h2 id="charts">Last hour</h2>
        <p class="hint">
          Samples of each 15 seconds, in the memory of the node that answers since it started.
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

function Actions({ destination }: { readonly destination: DestinationView }): JSX.Element {
  const { mayWrite, operations } = useSession()
  const [asked, setAsked] = useState<OperationForm>()
  const isAtLeastOnce = destination.kind === 'kafka-at-least-once'
  const offered = operationForms.filter(
    ({ code }) => mayWrite && isAtLeastOnce && operations.includes(code),
  )
  const task = useTask<string>()
  const isOff = destination.status === 'off'
  const change = (): void => {
    task.run(async () => {
      const path = `/destinations/${encodeURIComponent(destination.id)}/status`
      await post(path, { status: isOff ? 'active' : 'off' })
      return isOff ? 'Resumed.' : 'Paused.'
    })
  }
  return (
    <div class="actions">
      {mayWrite && (
        <button type="button" class="primary" disabled={task.isBusy} onClick={change}>
          {isOff ? 'Resume' : 'Pause'}
        </button>
      )}
      {offered.map((form) => (
        <button
          key={form.code}
          type="button"
          class={form.isFinal ? 'danger' : ''}
          onClick={() => {
            setAsked(form)
          }}
        >
          {form.title} …
        </button>
      ))}
      <a href={`${to('tail')}?destination=${encodeURIComponent(destination.id)}`}>
        Watch what is sent
      </a>
      {asked && (
        <OperationDialog
          form={asked}
          id={destination.id}
          onClose={() => {
            setAsked(undefined)
          }}
        />
      )}
      <span class="hint" role="status">
        {task.error?.message ?? task.answer}
      </span>
    </div>
  )
}

function Facts({ destination }: { readonly destination: DestinationView }): JSX.Element {
  const { leader, exactlyOnce, exactlyOnceFault } = destination
  const isBestEffort = destination.kind === 'kafka-best-effort'
  const facts: readonly (readonly [string, JSX.Element | string])[] = [
    ['Kind', isBestEffort ? 'best effort' : 'at least once'],
    ['Topic', destination.topicUrl],
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
    ['Created', dateTime(destination.startedAt)],
    ...(isBestEffort
      ? []
      : [
          [
            'Last activity',
            destination.lastActivityAt ? dateTime(destination.lastActivityAt) : 'none yet',
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
      {duration(nowMs - Date.parse(at))} <span class="hint">since {dateTime(at)}</span>
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
          <table>
            <thead>
              <tr>
                <th scope="col">Last seen</th>
                <th scope="col">Cause</th>
              </tr>
            </thead>
            <tbody>
              {destination.errors.map(({ at, message }) => (
                <tr key={message}>
                  <td class="time">{dateTime(at)}</td>
                  <td class="text">{message}</td>
                </tr>
              ))}
            </tbody>
          </table>
        </div>
      )}
    </section>
  )
}
