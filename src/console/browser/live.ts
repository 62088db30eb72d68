import { useEffect, useState } from 'preact/hooks'
import { ApiError, apiUrl, get, withQuery } from './api.ts'

export interface Live<View> {
  readonly view: View | undefined
  readonly error: ApiError | undefined
  /** Whether what is shown is as new as the server has it. */
  readonly isLive: boolean
}

/** Told whenever a page goes live or stops to be. */
export const liveListeners = new Set<(isLive: boolean) => void>()

function tell(isLive: boolean): void {
  for (const listener of liveListeners) listener(isLive)
}

/** The answer of a live route, as it changes. A page that nobody sees does not listen. */
export function useLive<View>(path: string): Live<View> {
  const [live, setLive] = useState<Live<View>>({ view: undefined, error: undefined, isLive: false })
  useEffect(() => {
    setLive((before) => ({ ...before, error: undefined }))
    return listen(path, 'view', {
      onEvent: (view) => {
        setLive({ view: view as View, error: undefined, isLive: true })
      },
      onPause: () => {
        setLive((before) => ({ ...before, isLive: false }))
      },
      onError: (error) => {
        setLive((before) => ({ ...before, error, isLive: false }))
      },
    })
  }, [path])
  return live
}

interface Listener {
  /** @param position where the stream stands, for the one after it; '' in most streams */
  readonly onEvent: (data: unknown, position: string) => void
  /** Something was sent that this stream does not have. */
  readonly onGap?: () => void
  /** The connection is away; the browser tries again. */
  readonly onPause?: () => void
  readonly onError: (error: ApiError) => void
}

const retryMs = 3000
/** The server says something each 15 seconds; a connection that is cut somewhere on the way is told by nobody. */
const silenceMs = 40_000

/** Listens to server-sent events while the page is visible.
 *  @param after position to go on from
 *  @returns ends it */
export function listen(path: string, event: string, listener: Listener, after = ''): () => void {
  let position = after
  let source: EventSource | undefined
  let timer: number | undefined
  let silence: number | undefined
  let isEnded = false
  const close = (): void => {
    source?.close()
    source = undefined
    window.clearTimeout(timer)
    window.clearTimeout(silence)
  }
  const heard = (message?: Event): void => {
    if (message instanceof MessageEvent && message.lastEventId !== '') {
      position = message.lastEventId
    }
    window.clearTimeout(silence)
    silence = window.setTimeout(() => {
      tell(false)
      listener.onPause?.()
      open()
    }, silenceMs)
  }
  const retry = (): void => {
    timer = window.setTimeout(open, retryMs)
  }
  const refused = async (): Promise<void> => {
    close()
    // A stream does not tell why it was refused; the same address without one does. The tail has no such answer.
    const isView = event === 'view'
    const answer = await get<unknown>(isView ? path : '/session').catch((reason: unknown) => reason)
    if (isEnded) return
    // Whoever refuses is there.
    tell(answer instanceof ApiError && answer.status >= 400 && answer.status < 500)
    if (answer instanceof ApiError) listener.onError(answer)
    // As when the server has no room for one more stream.
    else if (isView && !(answer instanceof Error)) listener.onEvent(answer, '')
    // What is not there may have been created a moment ago.
    if (!(answer instanceof ApiError) || ![400, 401, 403].includes(answer.status)) retry()
  }
  function open(): void {
    close()
    if (isEnded || document.visibilityState === 'hidden') return
    const opened = new EventSource(apiUrl(withQuery(path, { after: position })))
    source = opened
    heard()
    opened.addEventListener('ping', heard)
    opened.addEventListener(event, (message: MessageEvent<string>) => {
      heard(message)
      tell(true)
      listener.onEvent(JSON.parse(message.data) as unknown, position)
    })
    opened.addEventListener('gap', () => listener.onGap?.())
    // The server wants to know again who listens.
    opened.addEventListener('again', (message) => {
      heard(message)
      open()
    })
    opened.addEventListener('away', ({ data }: MessageEvent<string>) => {
      heard()
      tell(false)
      listener.onError(new ApiError(503, JSON.parse(data) as { error: string }))
    })
    opened.addEventListener('gone', ({ data }: MessageEvent<string>) => {
      close()
      listener.onError(new ApiError(404, JSON.parse(data) as { error: string }))
      retry()
    })
    opened.addEventListener('error', () => {
      listener.onPause?.()
      if (opened.readyState === EventSource.CLOSED) void refused()
      else tell(false)
    })
  }
  document.addEventListener('visibilitychange', open)
  open()
  return () => {
    isEnded = true
    document.removeEventListener('visibilitychange', open)
    close()
  }
}
