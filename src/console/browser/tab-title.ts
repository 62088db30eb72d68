import { useEffect } from 'preact/hooks'

/** Puts a number in front of the title of the tab while the page is shown, so that a tab nobody looks at says how many wait; 0 is not shown. */
export function useTitleNumber(number: number): void {
  useEffect(() => {
    if (number === 0) return undefined
    document.title = `(${number}) ${withoutNumber()}`
    return () => {
      document.title = withoutNumber()
    }
  }, [number])
}

function withoutNumber(): string {
  return document.title.replace(/^\(\d+\) /, '')
}
