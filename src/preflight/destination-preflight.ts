import type { OperationOutcomeIssue } from '@medplum/fhirtypes'
import type { FhirResource, ResourceTypeDefinition } from '../host/types.ts'
import type { AllowedPlaces } from '../kafka/allowed-places.ts'
import { preflight, type PreflightSubject } from '../kafka/preflight/preflight.ts'
import type { KafkaParameterValues } from '../kafka/parameter-table.ts'
import { refusal } from '../resources/issue.ts'
import { readParameters } from '../resources/read-parameters.ts'
import type { SecretSource } from '../resources/secrets.ts'
import { destinationTypeName } from '../resources/type-names.ts'
import { preflightIssues } from './preflight-issues.ts'

export interface DestinationPreflightParts extends Pick<AllowedPlaces, 'isServerAllowed'> {
  readonly secrets: SecretSource
  /** What a write of the destination would be told. What it refuses is not connected to. */
  readonly validate: ResourceTypeDefinition['validate']
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

  /** What a write would be told, and unless that refuses it what a look at Kafka has found. Never rejects because of Kafka.
   *  @param resource with its secrets, as it is or would be stored
   *  @param previous the version that it would replace */
  async issuesOf(
    resource: FhirResource,
    previous?: FhirResource,
  ): Promise<readonly OperationOutcomeIssue[]> {
    const told = await this.#parts.validate(resource, previous)
    const { values } = readParameters(resource, this.#parts.secrets)
    if (!values || told.some(({ severity }) => severity === 'error')) return told
    if (this.#underWay >= maxUnderWay) {
      const text = `${maxUnderWay} preflights are under way; ask again when one has ended.`
      return [refusal('throttled', text, destinationTypeName)]
    }
    this.#underWay++
    try {
      const { run = preflight, preflightTimeoutMs: timeoutMs, stopped: signal } = this.#parts
      const found = await run(this.#subjectOf(resource, values), { timeoutMs, signal })
      return [...told, ...preflightIssues(found)]
    } finally {
      this.#underWay--
    }
  }

  #subjectOf({ id, kind }: FhirResource, values: KafkaParameterValues): PreflightSubject {
    const { transactional, checkpoint, checkpointTopic: topic, transactionalIdOf } = this.#parts
    const { isServerAllowed } = this.#parts
    const connection = { values, ...(isServerAllowed ? { isServerAllowed } : {}) }
    if (kind === 'kafka-best-effort' || !transactional) return connection
    const name = transactionalIdOf(id ?? 'new')
    return { ...connection, transactions: { name, checkpoint: checkpoint ? { topic } : undefined } }
  }
}
