import { useEffect, useState } from 'preact/hooks'

export const themes = ['auto', 'light', 'dark'] as const
export type Theme = (typeof themes)[number]

const key = 'fhir-console-theme'

export function storedTheme(): Theme {
  const stored = window.localStorage.getItem(key)
  return themes.find((theme) => theme === stored) ?? 'auto'
}

const prefersDark = window.matchMedia('(prefers-color-scheme: dark)')
const listeners = new Set<() => void>()

export function putTheme(theme: Theme): void {
  if (theme === 'auto') window.localStorage.removeItem(key)
  else window.localStorage.setItem(key, theme)
  apply()
}

function apply(): void {
  const theme = storedTheme()
  const shown = theme === 'auto' ? (prefersDark.matches ? 'dark' : 'light') : theme
  document.documentElement.dataset['theme'] = shown
  for (const listener of listeners) listener()
}

/** Before anything is drawn. */
export function startTheme(): void {
  prefersDark.addEventListener('change', apply)
  apply()
}

/** The theme that is shown. */
export function useShownTheme(): string {
  const [shown, setShown] = useState(document.documentElement.dataset['theme'] ?? 'light')
  useEffect(() => {
    const change = (): void => {
      setShown(document.documentElement.dataset['theme'] ?? 'light')
    }
    listeners.add(change)
    return () => {
      listeners.delete(change)
    }
  }, [])
  return shown
}
