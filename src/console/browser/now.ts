import { useEffect, useState } from 'preact/hooks'

const tickMs = 1000

/** The time in milliseconds, each second anew. */
export function useNowMs(): number {
  const [nowMs, setNowMs] = useState(() => Date.now())
  useEffect(() => {
    const timer = window.setInterval(() => {
      setNowMs(Date.now())
    }, tickMs)
    return () => {
      window.clearInterval(timer)
    }
  }, [])
  return nowMs
}
