import type { JSX } from 'preact'
import { useEffect, useRef, useState } from 'preact/hooks'
import type { TailEntry } from '../../../monitor/views.ts'
import type { DestinationsView, TailView } from '../../api-views.ts'
import { withQuery, type ApiError } from '../api.ts'
import { listen } from '../live.ts'
import { putQuery, to } from '../location.ts'
import { Notice } from '../parts/notice.tsx'
import { ResourceButton } from '../parts/resource-button.tsx'
import { Time } from '../parts/time.tsx'
import { useLoaded } from '../task.ts'

const shownEntries = 200

/** What is sent, as it happens. */
export function TailPage({ query }: { readonly query: URLSearchParams }): JSX.Element {
  const destination = query.get('destination') ?? ''
  const [entries, setEntries] = useState<readonly TailEntry[]>([])
  const [isHeld, setIsHeld] = useState(false)
  const [isGap, setIsGap] = useState(false)
  const position = useRef('')
  const [error, setError] = useState<ApiError>()
  useEffect(() => {
    if (isHeld) return undefined
    return listen(
      withQuery('/tail', { destination }),
      'tail',
      {
        onEvent: (data, now) => {
          const fresh = (data as TailView).toReversed()
          position.current = now
          setError(undefined)
          setEntries((before) => [...fresh, ...before].slice(0, shownEntries))
        },
        onGap: () => {
          setIsGap(true)
        },
        onError: setError,
      },
      position.current,
    )
  }, [destination, isHeld])
  return (
    <>
      <h1 tabIndex={-1}>Live tail</h1>
      <p class="hint">
        Notifications of at-least-once destinations as Kafka confirms them, whichever node has sent
        them; of best effort what this node hands over. After a burst the newest are shown.
      </p>
      <Notice error={error} />
      <div class="filters">
        <DestinationField
          destination={destination}
          onPick={(id) => {
            setEntries([])
            setIsGap(false)
            position.current = ''
            putQuery({ destination: id })
          }}
        />
        <button
          type="button"
          aria-pressed={isHeld}
          onClick={() => {
            setIsHeld(!isHeld)
          }}
        >
          {isHeld ? 'Go on' : 'Hold'}
        </button>
      </div>
      {isGap && (
        <p class="hint">More was sent while this page was not connected than is shown here.</p>
      )}
      {entries.length === 0 && destination === '' && <WaitingHint />}
      {entries.length === 0 && destination !== '' && (
        <Waiting key={destination} destination={destination} />
      )}
      {entries.length > 0 && (
        <div class="scroll" tabIndex={0} role="region" aria-label="Notifications, the newest first">
          <table class="stack">
            <thead>
              <tr>
                <th scope="col">Change</th>
                <th scope="col">Destination</th>
                <th scope="col">Resource</th>
                <th scope="col">Interaction</th>
                <th scope="col" class="wide">
                  Topic
                </th>
                <th scope="col" class="wide">
                  State
                </th>
              </tr>
            </thead>
            <tbody>
              {entries.map((entry) => (
                <TailRow key={`${entry.number} ${entry.at}`} entry={entry} />
              ))}
            </tbody>
          </table>
        </div>
      )}
    </>
  )
}

const mostChoices = 50

interface DestinationFieldProps {
  readonly destination: string
  readonly onPick: (id: string) => void
}

/** Takes the id of one destination, and offers those that it may be. */
function DestinationField({ destination, onPick }: DestinationFieldProps): JSX.Element {
  const [typed, setTyped] = useState(destination)
  useEffect(() => {
    setTyped(destination)
  }, [destination])
  const path = withQuery('/destinations', { search: typed.trim(), size: mostChoices })
  const { answer } = useLoaded<DestinationsView>(path, '')
  return (
    <>
      <input
        type="search"
        class="search"
        list="destination-ids"
        aria-label="Id of a destination"
        placeholder="Id of a destination"
        value={typed}
        onInput={(event) => {
          setTyped(event.currentTarget.value)
        }}
        onChange={(event) => {
          onPick(event.currentTarget.value.trim())
        }}
      />
      <datalist id="destination-ids">
        {answer?.rows.map(({ id }) => (
          <option key={id} value={id} />
        ))}
      </datalist>
    </>
  )
}

/** While nothing has come. What is not there sends nothing. */
function Waiting({ destination }: Pick<DestinationFieldProps, 'destination'>): JSX.Element {
  const { error } = useLoaded<unknown>(`/destinations/${encodeURIComponent(destination)}`, '')
  return error?.status === 404 ? <Notice error={error} /> : <WaitingHint />
}

function WaitingHint(): JSX.Element {
  return <p class="hint">Waiting for notifications …</p>
}

function TailRow({ entry }: { readonly entry: TailEntry }): JSX.Element {
  const id = entry.destination.slice(entry.destination.indexOf('/') + 1)
  return (
    <tr>
      <td data-label="Change">
        <Time at={entry.at} />
      </td>
      <td data-label="Destination">
        <a href={to('destinations', id)}>{id}</a>
      </td>
      <td data-label="Resource">
        <ResourceButton reference={entry.resource} versionId={entry.versionId} />
      </td>
      <td data-label="Interaction">{entry.interaction}</td>
      <td class="wide hint">{entry.topicUrl}</td>
      <td class="wide">{entry.state === 'delivered' ? 'delivered' : 'handed over'}</td>
    </tr>
  )
}
