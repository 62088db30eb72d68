import type { JSX } from 'preact'
import { useEffect, useState } from 'preact/hooks'
import type { NodeView } from '../../../monitor/views.ts'
import { count, dateTime } from '../format.ts'
import { Notice } from '../parts/notice.tsx'
import { useLoaded } from '../task.ts'

const refreshMs = 5000

/** The nodes that share the work. */
export function NodesPage(): JSX.Element {
  const [turn, setTurn] = useState(0)
  const { answer, error } = useLoaded<{ rows: readonly NodeView[] }>('/nodes', turn)
  useEffect(() => {
    const timer = window.setInterval(() => {
      if (document.visibilityState === 'visible') setTurn((before) => before + 1)
    }, refreshMs)
    return () => {
      window.clearInterval(timer)
    }
  }, [])
  const nodes = answer?.rows
  return (
    <>
      <h1 tabIndex={-1}>Nodes</h1>
      <Notice error={error} />
      {nodes && (
        <div class="scroll" tabIndex={0} role="region" aria-label="Table of nodes">
          <table>
            <thead>
              <tr>
                <th scope="col">Node</th>
                <th scope="col">Started</th>
                <th scope="col" class="number">
                  Destinations it delivers
                </th>
              </tr>
            </thead>
            <tbody>
              {nodes.map(({ name, isThisNode, startedAt, destinations }) => (
                <tr key={name}>
                  <th scope="row">
                    {name} {isThisNode && <span class="hint">answers you</span>}
                  </th>
                  <td>{dateTime(startedAt)}</td>
                  <td class="number">{count(destinations)}</td>
                </tr>
              ))}
            </tbody>
          </table>
        </div>
      )}
    </>
  )
}
