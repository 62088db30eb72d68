import { interactions } from '../host/types.ts'
import {
  backbone,
  list,
  optional,
  required,
  requiredList,
  type ElementSpec,
} from './element-spec.ts'

const topicStatuses = ['draft', 'active', 'retired', 'unknown'] as const

const comparators = ['eq', 'ne', 'gt', 'lt', 'ge', 'le', 'sa', 'eb', 'ap'] as const

const triggerElements: readonly ElementSpec[] = [
  optional('description', 'markdown', 'What the trigger is for.'),
  required('resource', 'uri', 'Type name, or url of the StructureDefinition of the type.'),
  list('supportedInteraction', 'code', 'Interactions that can fire; none means all.', {
    codes: interactions,
  }),
  optional(
    'fhirPathCriteria',
    'string',
    'FHIRPath that must be true; sees the resource, %current and %previous. Absent: every change fires.',
  ),
  backbone(list('canFilterBy', 'BackboneElement', 'Filters a subscriber may use.'), [
    optional('description', 'markdown', 'What the filter is for.'),
    required('filterParameter', 'string', 'Name of the filter.'),
    requiredList('comparator', 'code', 'Comparators the filter knows.', { codes: comparators }),
    required('filterDefinitionFhirPathExpression', 'string', 'FHIRPath of the filtered value.'),
  ]),
]

/** Elements of AidboxSubscriptionTopic beside those of every resource: the metadata of a canonical resource of FHIR R5, and its triggers. */
export const topicElements: readonly ElementSpec[] = [
  required('url', 'uri', 'Canonical url; destinations name the topic by it.'),
  list('identifier', 'Identifier', 'Business identifiers.'),
  optional('version', 'string', 'Business version.'),
  optional('versionAlgorithm[x]', ['string', 'Coding'], 'How to compare versions.'),
  optional('name', 'string', 'Name for machines.'),
  optional('title', 'string', 'Name for people.'),
  list('derivedFrom', 'canonical', 'Topics this one is based on.'),
  required('status', 'code', 'Only an active topic fires.', { codes: topicStatuses }),
  optional('experimental', 'boolean', 'For testing, not for real use.'),
  optional('date', 'dateTime', 'Date of the last change.'),
  optional('publisher', 'string', 'Who publishes the topic.'),
  list('contact', 'ContactDetail', 'How to reach the publisher.'),
  optional('description', 'markdown', 'What the topic is about.'),
  list('useContext', 'UsageContext', 'Where the topic is meant to be used.'),
  list('jurisdiction', 'CodeableConcept', 'Jurisdictions the topic is meant for.'),
  optional('purpose', 'markdown', 'Why the topic exists.'),
  optional('copyright', 'markdown', 'Restrictions of use and publishing.'),
  optional('copyrightLabel', 'string', 'Copyright holder and years.'),
  optional('approvalDate', 'date', 'When the publisher approved it.'),
  optional('lastReviewDate', 'date', 'When the publisher last reviewed it.'),
  optional('effectivePeriod', 'Period', 'When it is expected to be used.'),
  backbone(
    list('trigger', 'BackboneElement', 'Changes that make an event; any of them will do.'),
    triggerElements,
  ),
]
