import { allOk, notFound } from '@medplum/core'
import type { FhirHost, Operation, SqlTx } from '../host/types.ts'
import { readDeliveryStatus } from '../outbox/counters.ts'
import { newestJobs } from '../outbox/jobs.ts'
import type { OutboxSchema } from '../outbox/schema.ts'
import type { Registry } from '../delivery/registry.ts'
import { statusOperationDefinition } from '../resources/status-operation-definition.ts'
import { destinationTypeName } from '../resources/type-names.ts'
import { destinationState } from './destination-state.ts'
import { statusParameters } from './status-parameters.ts'

export interface StatusOperationParts {
  /** Asked first whether the caller may know. */
  readonly host: Pick<FhirHost, 'authorize'>
  readonly db: SqlTx
  readonly schema: OutboxSchema
  readonly registry: Registry
  /** Writes this node's best-effort counters down, so that the answer holds what this node did up to now. */
  readonly flushBestEffort: () => Promise<void>
}

/** `GET [base]/AidboxTopicDestination/<id>/$status`: how delivery goes, over all nodes and restarts. */
export function statusOperation(parts: StatusOperationParts): Operation {
  return {
    code: 'status',
    resourceType: destinationTypeName,
    level: 'instance',
    methods: ['GET', 'POST'],
    definition: statusOperationDefinition,
    async handle({ id, principal }) {
      const { host, db, schema, registry, flushBestEffort } = parts
      const reference = `${destinationTypeName}/${id ?? ''}`
      await host.authorize?.(principal, 'status', reference)
      // Another node may have answered a change just now.
      await registry.ensureFresh()
      await flushBestEffort()
      // Before the counts: those of a job that has ended hold all it has sent.
      const jobs = await newestJobs(db, schema, reference)
      const counted = await readDeliveryStatus(db, schema, reference)
      if (!counted) return { outcome: notFound }
      const state = destinationState(registry, reference)
      return { outcome: allOk, resource: statusParameters(counted, state, jobs) }
    },
  }
}
