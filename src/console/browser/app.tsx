import type { JSX } from 'preact'
import { useEffect, useState } from 'preact/hooks'
import type { SessionView } from '../api-views.ts'
import { ApiError, get, request } from './api.ts'
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

/** The console: a sign-in, or the page that the address names. */
export function App(): JSX.Element {
  const [session, setSession] = useState<SessionView>()
  const [refusal, setRefusal] = useState<ApiError>()
  const place = usePlace()
  const load = (): void => {
    void refresh()
  }
  const refresh = async (): Promise<void> => {
    try {
      const view = await get<SessionView>('/session')
      setRefusal(undefined)
      setSession(view)
    } catch (error) {
      setSession(undefined)
      setRefusal(error instanceof ApiError ? error : new ApiError(0, { error: String(error) }))
    }
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
