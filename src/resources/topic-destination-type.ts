import type { OperationOutcomeIssue } from '@medplum/fhirtypes'
import {
  resourceInteractions,
  type FhirResource,
  type ResourceTypeDefinition,
} from '../host/types.ts'
import type { AllowedPlaces } from '../kafka/allowed-places.ts'
import { kafkaClientDescription } from '../kafka/kafka-client-description.ts'
import type { Catalogue } from '../topology/catalogue.ts'
import { profileNames } from './canonical-urls.ts'
import { catalogueIssues } from './catalogue-issues.ts'
import { isDestinationKind } from './destination-kinds.ts'
import { maxIssues, refusal } from './issue.ts'
import { isJsonObject } from './json-shapes.ts'
import { organizationIssues } from './organization.ts'
import { destinationProfiles } from './profile-definitions.ts'
import { readParameters, unusedIssues, validityIssues, valueIssues } from './read-parameters.ts'
import { destinationSearchParameters } from './search-parameters.ts'
import { keepSecrets, maskSecrets } from './secret-parameters.ts'
import type { SecretSource } from './secrets.ts'
import { structureIssues } from './structure-check.ts'
import { destinationDefinition } from './type-definitions.ts'
import { destinationTypeName } from './type-names.ts'

interface TopicDestinationTypeOptions extends AllowedPlaces {
  readonly secrets: Pick<SecretSource, 'resolve'>
  /** What destinations may write to; undefined: any Kafka topic. */
  readonly catalogue?: Catalogue | undefined
  /** What a read answers for a secret that stands in the resource itself.
   *  @default 'mask' */
  readonly plainSecrets?: 'mask' | 'echo'
  /** Whether PUT and PATCH answer 405, as Aidbox does.
   *  @default false */
  readonly strictAidbox?: boolean
  /** Whether the host commits in SQL transactions; without them only best effort can be promised.
   *  @default true */
  readonly sqlTransactions?: boolean
}

/** AidboxTopicDestination as a host registers it. Whether the topic exists is checked in the transaction of the write, not here. */
export function topicDestinationType(options: TopicDestinationTypeOptions): ResourceTypeDefinition {
  const { secrets, plainSecrets = 'mask', strictAidbox = false, sqlTransactions = true } = options
  return {
    definition: destinationDefinition,
    profiles: destinationProfiles,
    searchParameters: destinationSearchParameters,
    documentation: kafkaClientDescription(),
    interactions: strictAidbox
      ? resourceInteractions.filter((each) => each !== 'update' && each !== 'patch')
      : resourceInteractions,
    validate(resource, previous) {
      const structure = structureIssues(resource, destinationDefinition)
      if (!isJsonObject(resource)) return structure
      const { values, issues = [] } = readParameters(keepSecrets(resource, previous), secrets)
      const found = [
        ...structure,
        ...kindIssues(resource, sqlTransactions, previous?.['kind']),
        ...organizationIssues(resource),
        ...issues,
      ]
      if (found.length > 0 || !values) return found.slice(0, maxIssues)
      const told = [...valueIssues(values, options), ...validityIssues(values)]
      const isRefused = told.some(({ severity }) => severity === 'error')
      if (isRefused) return told
      return [
        ...told,
        ...catalogueIssues(resource, values, options.catalogue),
        ...unusedIssues(values),
      ]
    },
    toStored: keepSecrets,
    toAnswer: plainSecrets === 'mask' ? maskSecrets : (resource) => resource,
  }
}

/** Kind and profile say the same, the host can keep what the kind promises, and an existing destination keeps its kind. */
function kindIssues(
  resource: FhirResource,
  sqlTransactions: boolean,
  previousKind: unknown,
): OperationOutcomeIssue[] {
  const kind = resource['kind']
  if (!isDestinationKind(kind)) return []
  const issues: OperationOutcomeIssue[] = []
  if (kind === 'kafka-at-least-once' && !sqlTransactions) {
    const text = 'Write kafka-best-effort; this server has no SQL transactions to keep events in.'
    issues.push(refusal('not-supported', text, `${destinationTypeName}.kind`))
  }
  if (isDestinationKind(previousKind) && previousKind !== kind) {
    const text = `Write ${previousKind}; the events that wait for this destination would be lost. Delete it and create it anew, or create another one.`
    issues.push(refusal('business-rule', text, `${destinationTypeName}.kind`))
  }
  const written: unknown = resource.meta?.profile
  const names: unknown[] = Array.isArray(written) ? written : []
  const urls = new Set(names.map((name) => typeof name === 'string' && name.split('|', 1)[0]))
  const ours = profileNames.filter(({ url }) => urls.has(url))
  const wanted = profileNames.find((profile) => profile.kind === kind)?.url ?? ''
  const path = `${destinationTypeName}.meta.profile`
  if (ours.length === 0) {
    const text = `Add the profile of the kind ${kind} to meta.profile: ${wanted}.`
    issues.push(refusal('required', text, path))
  } else if (ours.some((profile) => profile.kind !== kind)) {
    const text = `kind is ${kind}, but meta.profile names another kind; write ${wanted}, or change kind.`
    issues.push(refusal('invalid', text, path, `${destinationTypeName}.kind`))
  }
  return issues
}
