import { useEffect, useState } from 'preact/hooks'

/** Where the reader is: `#/destinations/a?page=2`. What stands behind the hash is never sent to a server. */
export interface Place {
  /** Decoded. */
  readonly segments: readonly string[]
  readonly query: URLSearchParams
}

function place(): Place {
  const [path = '', query = ''] = window.location.hash.replace(/^#/, '').split('?', 2)
  return {
    segments: path.split('/').filter(Boolean).map(decode),
    query: new URLSearchParams(query),
  }
}

function decode(segment: string): string {
  try {
    return decodeURIComponent(segment)
  } catch {
    return segment
  }
}

export function usePlace(): Place {
  const [here, setHere] = useState(place)
  useEffect(() => {
    const move = (): void => {
      setHere(place())
    }
    window.addEventListener('hashchange', move)
    // The reader may have gone on before anybody listened.
    move()
    return () => {
      window.removeEventListener('hashchange', move)
    }
  }, [])
  return here
}

/** Address of a page of the console. */
export function to(...segments: readonly string[]): string {
  return `#/${segments.map(encodeURIComponent).join('/')}`
}

/** Changes the query of the present page; what is empty is left out. */
export function putQuery(changes: Readonly<Record<string, string>>): void {
  const { segments, query } = place()
  for (const [name, value] of Object.entries(changes)) {
    if (value === '') query.delete(name)
    else query.set(name, value)
  }
  const text = query.toString()
  window.location.replace(`${to(...segments)}${text === '' ? '' : `?${text}`}`)
}
