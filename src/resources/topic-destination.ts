import { TopicDestinationError } from '../errors.ts'
import type { FhirResource } from '../host/types.ts'
import type { AllowedPlaces } from '../kafka/allowed-places.ts'
import type { KafkaParameterValues } from '../kafka/parameter-table.ts'
import {
  contentModes,
  destinationKinds,
  destinationStatuses,
  logLevels,
  type ContentMode,
  type DestinationKind,
  type DestinationStatus,
  type LogLevel,
} from './destination-kinds.ts'
import { readParameters, valueIssues } from './read-parameters.ts'
import type { SecretSource } from './secrets.ts'
import { destinationTypeName } from './type-names.ts'

/** An AidboxTopicDestination as delivery uses it: defaults filled in, secrets in clear. Never log it. */
export interface TopicDestination {
  /** `AidboxTopicDestination/<id>`. */
  readonly reference: string
  readonly id: string
  readonly topicUrl: string
  readonly kind: DestinationKind
  /** @default 'active' */
  readonly status: DestinationStatus
  /** @default 'full-resource' */
  readonly content: ContentMode
  readonly includeEntryAction: boolean
  readonly includeVersionId: boolean
  readonly includeVersionIdInFocusReference: boolean
  readonly enableLogging: boolean
  /** @default 'info' */
  readonly logLevel: LogLevel
  readonly kafkaTopic: string
  readonly keyByResourceId: boolean
  readonly parameters: KafkaParameterValues
}

/** Reads a stored destination. What was valid when it was written may not be any more: a secret file is gone, a new password does not parse,
 *  a server or a token endpoint is no longer allowed.
 *
 *  @throws {@link TopicDestinationError} `KTD_INVALID_PARAMETER` with the expression of the element at fault */
export function parseTopicDestination(
  resource: FhirResource,
  secrets: Pick<SecretSource, 'resolve'>,
  allowed: AllowedPlaces = {},
): TopicDestination {
  const parameters = usableParameters(resource, secrets, allowed)
  const { id = '', topic } = resource
  if (typeof topic !== 'string') throw unusable('topic', 'is missing')
  return {
    reference: `${destinationTypeName}/${id}`,
    id,
    topicUrl: topic,
    kind: codeOf(resource, 'kind', destinationKinds),
    status: codeOf(resource, 'status', destinationStatuses, 'active'),
    content: codeOf(resource, 'content', contentModes, 'full-resource'),
    includeEntryAction: resource['includeEntryAction'] === true,
    includeVersionId: resource['includeVersionId'] === true,
    includeVersionIdInFocusReference: resource['includeVersionIdInFocusReference'] === true,
    enableLogging: resource['enableLogging'] === true,
    logLevel: codeOf(resource, 'logLevel', logLevels, 'info'),
    kafkaTopic: parameters.kafkaTopic,
    keyByResourceId: parameters.keyByResourceId ?? false,
    parameters,
  }
}

function usableParameters(
  resource: FhirResource,
  secrets: Pick<SecretSource, 'resolve'>,
  allowed: AllowedPlaces,
): KafkaParameterValues {
  const { values, issues } = readParameters(resource, secrets)
  const [fault] = issues ?? valueIssues(values, allowed)
  if (values && !fault) return values
  const expression = fault?.expression?.[0]
  throw new TopicDestinationError(
    'KTD_INVALID_PARAMETER',
    fault?.details?.text ?? 'The parameters cannot be used.',
    expression === undefined ? {} : { expression },
  )
}

function codeOf<Code extends string>(
  resource: FhirResource,
  element: string,
  codes: readonly Code[],
  absent?: Code,
): Code {
  const written = resource[element] ?? absent
  const code = codes.find((known) => known === written)
  if (code === undefined) throw unusable(element, `must be one of ${codes.join(', ')}`)
  return code
}

function unusable(element: string, fault: string): TopicDestinationError {
  return new TopicDestinationError('KTD_INVALID_PARAMETER', `${element} ${fault}.`, {
    expression: `${destinationTypeName}.${element}`,
  })
}
