import type { ComponentChildren, JSX } from 'preact'
import { useEffect, useRef, useState } from 'preact/hooks'
import { timeZone } from '../format.ts'
import { liveListeners } from '../live.ts'
import type { Place } from '../location.ts'
import { useSession } from '../session.ts'
import { putTheme, storedTheme, themes, type Theme } from '../theme.ts'

const pages = [
  ['destinations', 'Destinations'],
  ['topics', 'Topics'],
  ['tail', 'Live tail'],
  ['nodes', 'Nodes'],
] as const

export interface ShellProps {
  readonly place: Place
  /** Undefined: there is no session to end. */
  readonly onSignOut: (() => void) | undefined
  readonly children: ComponentChildren
}

/** What stands around each page. */
export function Shell({ place, onSignOut, children }: ShellProps): JSX.Element {
  const { seesAll } = useSession()
  const main = useRef<HTMLElement>(null)
  const isFirst = useRef(true)
  const here = place.segments.join('/')
  useEffect(() => {
    // Whoever came by a link within the console goes on at the heading of the new page; screen readers read it.
    const heading = main.current?.querySelector('h1')
    document.title = `${heading?.textContent ?? 'Console'} · Event delivery`
    if (!isFirst.current) heading?.focus()
    isFirst.current = false
  }, [here])
  return (
    <>
      <a
        class="skip"
        href="#main"
        onClick={(event) => {
          toMain(event, main.current)
        }}
      >
        Skip to content
      </a>
      <header class="bar">
        <span class="brand">Event delivery</span>
        <nav aria-label="Pages">
          {pages
            .filter(([name]) => seesAll || name !== 'nodes')
            .map(([name, title]) => (
              <a
                key={name}
                href={`#/${name}`}
                aria-current={name === (place.segments[0] ?? 'destinations') ? 'page' : undefined}
              >
                {title}
              </a>
            ))}
        </nav>
        <div class="tools">
          <LiveMark />
          <span class="hint" title="Times are those of your clock.">
            Times: {timeZone}
          </span>
          <ThemeSwitch />
          {onSignOut && (
            <button type="button" class="quiet" onClick={onSignOut}>
              Sign out
            </button>
          )}
        </div>
      </header>
      <main id="main" ref={main} tabIndex={-1}>
        {children}
      </main>
    </>
  )
}

function toMain(event: Event, main: HTMLElement | null): void {
  // The hash is the address of the page.
  event.preventDefault()
  main?.focus()
}

function LiveMark(): JSX.Element {
  const [isLive, setIsLive] = useState(true)
  useEffect(() => {
    liveListeners.add(setIsLive)
    return () => {
      liveListeners.delete(setIsLive)
    }
  }, [])
  return (
    <span class={`live ${isLive ? 'is-live' : 'is-away'}`} role="status">
      {isLive ? 'Live' : 'Not connected'}
    </span>
  )
}

function ThemeSwitch(): JSX.Element {
  const [theme, setTheme] = useState(storedTheme)
  const change = (event: Event & { readonly currentTarget: HTMLSelectElement }): void => {
    const chosen: Theme = themes.find((each) => each === event.currentTarget.value) ?? 'auto'
    putTheme(chosen)
    setTheme(chosen)
  }
  return (
    <select class="theme" aria-label="Theme" value={theme} onChange={change}>
      <option value="auto">Auto</option>
      <option value="light">Light</option>
      <option value="dark">Dark</option>
    </select>
  )
}
