import type { JSX } from 'preact'
import { useEffect } from 'preact/hooks'
import type { SessionView } from '../api-views.ts'
import { get, request } from './api.ts'
import { usePlace, type Place } from './location.ts'
import { NodesPage } from './pages/nodes.tsx'
import { DestinationPage } from './pages/destination.tsx'
import { DestinationsPage } from './pages/destinations.tsx'
import { TailPage } from './pages/tail.tsx'
import { TopicPage } from './pages/topic.tsx'
import { TopicsPage } from './pages/topics.tsx'
import { Session } from './session.ts'
import { Shell } from './parts/shell.tsx'
import { SignIn } from './parts/sign-in.tsx'
import { useTask } from './task.ts'

/** The console: a sign-in, or the page that the address names. */
export function App(): JSX.Element {
  const { answer: session, error: refusal, run } = useTask<SessionView>()
  const place = usePlace()
  const load = (): void => {
    run(() => get('/session'))
  }
  useEffect(load, [])
  if (refusal) return <SignIn refusal={refusal} onSignedIn={load} />
  if (!session) return <p class="loading">Loading …</p>
  const signOut = (): void => {
    void request('DELETE', '/session', { path: window.location.pathname }).finally(load)
  }
  return (
    <Session.Provider value={{ ...session, onRefused: load }}>
      <Shell place={place} onSignOut={session.canSignOut ? signOut : undefined}>
        <Page place={place} />
      </Shell>
    </Session.Provider>
  )
}

function Page({ place: { segments, query } }: { readonly place: Place }): JSX.Element {
  const [kind = 'destinations', id] = segments
  if (kind === 'destinations' && id !== undefined) return <DestinationPage key={id} id={id} />
  if (kind === 'destinations') return <DestinationsPage query={query} />
  if (kind === 'topics' && id !== undefined) return <TopicPage key={id} id={id} />
  if (kind === 'topics') return <TopicsPage query={query} />
  if (kind === 'tail') return <TailPage query={query} />
  if (kind === 'nodes') return <NodesPage query={query} />
  return (
    <>
      <h1 tabIndex={-1}>No such page</h1>
      <p>
        <a href="#/destinations">All destinations</a>
      </p>
    </>
  )
}
