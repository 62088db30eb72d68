import { TopicDestinationError } from '../errors.ts'
import { interactions, type FhirResource, type Interaction } from '../host/types.ts'
import { isJsonObject } from '../resources/json-shapes.ts'
import { organizationOf } from '../resources/organization.ts'

/** One trigger of a topic, as the index needs it. */
export interface TopicTrigger {
  /** Type name. `*` is every type, `DomainResource` every type but Bundle, Binary and Parameters. */
  readonly resourceType: string
  readonly interactions: readonly Interaction[]
  /** Trimmed; absent = every change fires. */
  readonly criteria?: string
}

/** An AidboxSubscriptionTopic, parsed. */
export interface SubscriptionTopic {
  /** `AidboxSubscriptionTopic/<id>`. */
  readonly reference: string
  readonly url: string
  /** Code as stored; only `active` topics belong into the index. */
  readonly status: string
  readonly triggers: readonly TopicTrigger[]
  /** Reference of the organization to which, or below which, an event must belong; absent: every event will do. */
  readonly organization?: string
}

/** Whether it is on more than one type. */
export function isWide({ resourceType }: TopicTrigger): boolean {
  return resourceType === '*' || resourceType === 'DomainResource'
}

/** The types that triggers are on; undefined when one is on more than one. */
export function typesOf(triggers: readonly TopicTrigger[]): readonly string[] | undefined {
  if (triggers.some(isWide)) return undefined
  return [...new Set(triggers.map(({ resourceType }) => resourceType))]
}

/** Prefix of the urls that name a FHIR type where a type name would do as well. */
export const typeUrlPrefix = 'http://hl7.org/fhir/StructureDefinition/'

/** Reads a stored topic. Faults inside a trigger are the business of `checkTopicTriggers` and leave a trigger that never fires.
 *
 *  @throws {@link TopicDestinationError} `KTD_CRITERIA` when the topic has no url. */
export function parseSubscriptionTopic(resource: FhirResource): SubscriptionTopic {
  const { url, status, trigger } = resource
  const organization = organizationOf(resource)
  const reference = `${resource.resourceType}/${resource.id ?? ''}`
  if (typeof url !== 'string') {
    throw new TopicDestinationError('KTD_CRITERIA', `${reference} has no url.`, {
      expression: 'AidboxSubscriptionTopic.url',
    })
  }
  return {
    reference,
    url,
    status: typeof status === 'string' ? status : '',
    triggers: Array.isArray(trigger) ? trigger.map(parseTrigger) : [],
    ...(organization === undefined ? {} : { organization }),
  }
}

/** Type name of `trigger.resource`, which is a type name or the url of the type's StructureDefinition. */
export function triggerResourceType(resource: string): string {
  const name = resource.startsWith(typeUrlPrefix) ? resource.slice(typeUrlPrefix.length) : resource
  return name === 'Resource' ? '*' : name
}

function parseTrigger(trigger: unknown): TopicTrigger {
  const { resource, supportedInteraction, fhirPathCriteria } = isJsonObject(trigger) ? trigger : {}
  const listed = Array.isArray(supportedInteraction) ? supportedInteraction : []
  const criteria = typeof fhirPathCriteria === 'string' ? fhirPathCriteria.trim() : ''
  return {
    resourceType: typeof resource === 'string' ? triggerResourceType(resource) : '',
    interactions:
      listed.length === 0 ? interactions : interactions.filter((i) => listed.includes(i)),
    ...(criteria === '' ? {} : { criteria }),
  }
}
