import { useEffect, useRef, useState } from 'preact/hooks'
import { ApiError, get } from './api.ts'

export interface Task<Answer> {
  /** Of the last run that succeeded. */
  readonly answer: Answer | undefined
  /** Why the last run failed. */
  readonly error: ApiError | undefined
  readonly isBusy: boolean
  readonly run: (work: () => Promise<Answer>) => void
  readonly clear: () => void
}

/** Something that is done when the reader asks for it. What is overtaken by a later run is forgotten. */
export function useTask<Answer>(): Task<Answer> {
  const [answer, setAnswer] = useState<Answer>()
  const [error, setError] = useState<ApiError>()
  const [isBusy, setIsBusy] = useState(false)
  const turn = useRef(0)
  const begin = async (work: () => Promise<Answer>): Promise<void> => {
    const mine = ++turn.current
    setIsBusy(true)
    try {
      const result = await work()
      if (mine !== turn.current) return
      setAnswer(() => result)
      setError(undefined)
    } catch (reason) {
      if (mine === turn.current) setError(asApiError(reason))
    } finally {
      if (mine === turn.current) setIsBusy(false)
    }
  }
  return {
    answer,
    error,
    isBusy,
    run: (work) => {
      void begin(work)
    },
    clear: () => {
      turn.current++
      setAnswer(undefined)
      setError(undefined)
      setIsBusy(false)
    },
  }
}

function asApiError(reason: unknown): ApiError {
  return reason instanceof ApiError ? reason : new ApiError(0, { error: String(reason) })
}

/** The answer of a route, read again when `version` changes. */
export function useLoaded<View>(path: string, version: string | number): Task<View> {
  const task = useTask<View>()
  useEffect(() => {
    task.run(() => get<View>(path))
  }, [path, version])
  return task
}

/** The answer of a route, read again so long after the answer before, while the page is visible. */
export function useRefreshed<View>(path: string, refreshMs: number): Task<View> {
  const [turn, setTurn] = useState(0)
  const task = useLoaded<View>(path, turn)
  useEffect(() => {
    if (task.isBusy) return undefined
    const timer = window.setInterval(() => {
      if (document.visibilityState === 'visible') setTurn((before) => before + 1)
    }, refreshMs)
    return () => {
      window.clearInterval(timer)
    }
  }, [task.isBusy])
  return task
}
