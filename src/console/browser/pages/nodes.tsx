import type { JSX } from 'preact'
import type { NodeView } from '../../../monitor/views.ts'
import { count } from '../format.ts'
import { Notice } from '../parts/notice.tsx'
import { Time } from '../parts/time.tsx'
import { useSession } from '../session.ts'
import { useRefreshed } from '../task.ts'
import { ClusterHealth } from './cluster-health.tsx'
import { Topology } from './topology.tsx'

const refreshMs = 5000

/** The nodes that share the work. */
export function NodesPage({ query }: { readonly query: URLSearchParams }): JSX.Element {
  const { hasHealth, hasTopology } = useSession()
  const { answer, error } = useRefreshed<{ rows: readonly NodeView[] }>('/nodes', refreshMs)
  const nodes = answer?.rows
  return (
    <>
      <h1 tabIndex={-1}>Nodes</h1>
      {hasHealth && <ClusterHealth />}
      {(hasHealth || hasTopology) && <h2>Nodes of this service</h2>}
      <Notice error={error} />
      {nodes && (
        <div class="scroll" tabIndex={0} role="region" aria-label="Table of nodes">
          <table class="stack">
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
                  <td data-label="Started">
                    <Time at={startedAt} />
                  </td>
                  <td data-label="Delivers" class="number">
                    {count(destinations)}
                  </td>
                </tr>
              ))}
            </tbody>
          </table>
        </div>
      )}
      {hasTopology && <Topology query={query} />}
    </>
  )
}
