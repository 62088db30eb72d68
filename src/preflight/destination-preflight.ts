import type { OperationOutcomeIssue } from '@medplum/fhirtypes'
import type { FhirResource } from '../host/types.ts'
import type { AllowedPlaces } from '../kafka/allowed-places.ts'
import { preflight, type PreflightSubject } from '../kafka/preflight/preflight.ts'
import type { KafkaParameterValues } from '../kafka/parameter-table.ts'
import { refusal } from '../resources/issue.ts'
import { readParameters, valueIssues } from '../resources/read-parameters.ts'
import type { SecretSource } from '../resources/secrets.ts'
import { destinationTypeName } from '../resources/type-names.ts'
import { preflightIssues } from './preflight-issues.ts'

export interface DestinationPreflightParts extends AllowedPlaces {
  readonly secrets: SecretSource
  /** Of a destination with this id. */
  readonly transactionalIdOf: (id: string) => string
  /** As the options of the module say. */
  readonly transactional: boolean
  readonly checkpoint: boolean
  readonly checkpointTopic?: string | undefined
  readonly preflightTimeoutMs: number
  /** Aborted when the module stops. */
  readonly stopped: AbortSignal
  /** Replaced in tests. */
  readonly run?: typeof preflight
}

/** More at a time would be a load on the clusters and on this process: each has connections and threads of its own. */
const maxUnderWay = 4

/** Connects to Kafka as a destination would, and says everything that is wrong. */
export class DestinationPreflight {
  readonly #parts: DestinationPreflightParts
  #underWay = 0

  constructor(parts: DestinationPreflightParts) {
    this.#parts = parts
  }

  /** Faults of the parameters, or what a look at Kafka has found; empty when nothing was. Never rejects because of Kafka.
   *  @param resource with its secrets, as it is or would be stored */
  async issuesOf(resource: FhirResource): Promise<readonly OperationOutcomeIssue[]> {
    const { values, issues } = readParameters(resource, this.#parts.secrets)
    const faults = issues ?? valueIssues(values, this.#parts)
    if (!values || faults.length > 0) return faults
    if (this.#underWay >= maxUnderWay) {
      const text = `${maxUnderWay} preflights are under way; ask again when one has ended.`
      return [refusal('throttled', text, destinationTypeName)]
    }
    this.#underWay++
    try {
      const { run = preflight, preflightTimeoutMs: timeoutMs, stopped: signal } = this.#parts
      return preflightIssues(await run(this.#subjectOf(resource, values), { timeoutMs, signal }))
    } finally {
      this.#underWay--
    }
  }

  #subjectOf({ id, kind }: FhirResource, values: KafkaParameterValues): PreflightSubject {
    const { transactional, checkpoint, checkpointTopic: topic, transactionalIdOf } = this.#parts
    if (kind === 'kafka-best-effort') return { values, kind: 'best-effort' }
    if (!transactional) return { values, kind: 'at-least-once' }
    const name = transactionalIdOf(id ?? 'new')
    return {
      values,
      kind: 'at-least-once',
      transactions: { name, checkpoint: checkpoint ? { topic } : undefined },
    }
  }
}
