import { createContext } from 'preact'
import { useContext, useEffect } from 'preact/hooks'
import type { SessionView } from '../api-views.ts'
import type { ApiError } from './api.ts'

export interface SessionContext extends SessionView {
  /** The session has ended. */
  readonly onRefused: () => void
}

export const Session = createContext<SessionContext>({
  mayWrite: false,
  canSignOut: false,
  operations: [],
  seesAll: true,
  hasHealth: false,
  hasTopology: false,
  onRefused: () => undefined,
})

export function useSession(): SessionContext {
  return useContext(Session)
}

/** Leads to the sign-in when an answer says that there is no session. */
export function useRefusal(error: ApiError | undefined): void {
  const { onRefused } = useSession()
  useEffect(() => {
    if (error?.status === 401) onRefused()
  }, [error])
}
