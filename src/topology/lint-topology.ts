import type { Finding } from './finding.ts'
import { nameFindings } from './lint/names.ts'
import { replicationFindings } from './lint/replication.ts'
import { retryPolicyFindings } from './lint/retry-policies.ts'
import { retryTopicFindings } from './lint/retry-topics.ts'
import { roleFindings } from './lint/roles.ts'
import { flowFindings } from './lint/topic-flow.ts'
import type { ResolvedTopology } from './resolved-topology.ts'

/** What is wrong with a topology by itself: the checks L1 to L7 and L9. */
export function lintTopology(topology: ResolvedTopology): Finding[] {
  return [
    ...flowFindings(topology),
    ...retryPolicyFindings(topology),
    ...retryTopicFindings(topology),
    ...nameFindings(topology),
    ...replicationFindings(topology),
    ...roleFindings(topology),
  ]
}
