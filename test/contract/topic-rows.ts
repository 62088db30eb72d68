import type { ContractRow } from './contract-row.ts'

/** AidboxSubscriptionTopic: what a topic is, and which changes it selects. Sources are pages and sections of Aidbox's documentation. */
export const topicRows = {
  'topic-url': {
    statement: 'A topic needs exactly one url, an absolute URI.',
    source: 'Core module resources, AidboxSubscriptionTopic, url',
    verdict: 'same',
  },
  'topic-url-unique': {
    statement:
      'The url of a topic is globally unique; what a second topic with it does is not said.',
    source: 'Core module resources, AidboxSubscriptionTopic, url',
    verdict: 'stricter',
    here: 'A second topic with the same url answers 422.',
    because: 'destinations name a topic by its url',
  },
  'topic-status': {
    statement: 'status is required: draft, active, retired or unknown.',
    source: 'Core module resources, AidboxSubscriptionTopic, status',
    verdict: 'same',
  },
  'topic-only-active-fires': {
    statement:
      'A topic that is draft, retired or unknown selects nothing; one that is active does.',
    source: 'FHIR R5, SubscriptionTopic, status',
    verdict: 'same',
  },
  'topic-without-trigger': {
    statement: 'A topic may have no trigger; it selects nothing then.',
    source: 'Core module resources, AidboxSubscriptionTopic, trigger',
    verdict: 'same',
  },
  'topic-several-triggers': {
    statement:
      'Any of several triggers selects a change, and a change that two of them select is one event.',
    source: 'Core module resources, AidboxSubscriptionTopic, trigger',
    verdict: 'same',
  },
  'topic-unknown-element': {
    statement: 'An element that the definition does not have is refused.',
    source: 'Core module resources, AidboxSubscriptionTopic',
    verdict: 'same',
  },
  'topic-keeps-id': {
    statement: 'POST keeps the id that the client gives a topic.',
    source: 'Aidbox/examples, aidbox-subscriptions-to-kafka, k8s_resources',
    verdict: 'same',
  },
  'topic-search-url': {
    statement: 'Topics are found by the search parameter url.',
    source: 'Core module resources, AidboxSubscriptionTopic, Search Parameters',
    verdict: 'same',
  },
  'topic-put': {
    statement:
      'PUT changes a topic: every write that starts after the answer is matched by the new one.',
    source: 'Topic-based subscriptions, Updating a TopicDestination',
    verdict: 'same',
  },
  'topic-patch': {
    statement: 'PATCH changes a topic as PUT does.',
    source: 'Topic-based subscriptions, Updating a TopicDestination',
    verdict: 'same',
  },
  'topic-deleted': {
    statement: 'A topic that was deleted selects nothing any more.',
    source: 'Topic-based subscriptions, AidboxSubscriptionTopic',
    verdict: 'same',
  },
  'trigger-resource': {
    statement: 'trigger.resource is required: a type name or the url of its StructureDefinition.',
    source: 'Topic-based subscriptions, AidboxSubscriptionTopic, resource',
    verdict: 'same',
  },
  'trigger-resource-unknown': {
    statement: 'trigger.resource is bound to the resource types of FHIR.',
    source: 'Topic-based subscriptions, AidboxSubscriptionTopic, resource',
    verdict: 'different',
    here: 'trigger.resource takes other names of the right form too.',
    because: 'a host may have types of its own',
  },
  'trigger-interactions': {
    statement:
      'supportedInteraction lists create, update and delete; only the listed interactions fire, and other codes are refused.',
    source: 'Topic-based subscriptions, AidboxSubscriptionTopic, supportedInteraction',
    verdict: 'same',
  },
  'trigger-all-interactions': {
    statement: 'Without supportedInteraction create, update and delete all fire.',
    source: 'Core module resources, AidboxSubscriptionTopic, trigger.supportedInteraction',
    verdict: 'same',
  },
  'trigger-description': {
    statement: 'trigger.description is markdown for people and decides nothing.',
    source: 'Topic-based subscriptions, AidboxSubscriptionTopic, description',
    verdict: 'same',
  },
  'trigger-filters': {
    statement:
      'trigger.canFilterBy holds filterParameter, comparator 1..*, filterDefinitionFhirPathExpression and a description; it comes back as written and decides nothing by itself.',
    source: 'Core module resources, AidboxSubscriptionTopic, trigger.canFilterBy',
    verdict: 'same',
  },
  'trigger-filter-elements': {
    statement:
      'In canFilterBy filterParameter, at least one comparator (eq, ne, gt, lt, ge, le, sa, eb, ap) and filterDefinitionFhirPathExpression are required.',
    source: 'Core module resources, AidboxSubscriptionTopic, trigger.canFilterBy',
    verdict: 'same',
  },
  'trigger-patch-is-update': {
    statement: 'A JSON Patch, a merge patch and a FHIRPath Patch all are the interaction update.',
    source: 'Topic-based subscriptions, AidboxSubscriptionTopic, PATCH',
    verdict: 'same',
  },
  'trigger-no-op-patch': {
    statement: 'A patch of any kind that changes nothing fires nothing.',
    source: 'Topic-based subscriptions, AidboxSubscriptionTopic, PATCH',
    verdict: 'same',
  },
  'criteria-absent': {
    statement: 'Without fhirPathCriteria every change of the type and interaction fires.',
    source: 'Webhook AidboxTopicDestination, fhirPathCriteria examples',
    verdict: 'same',
  },
  'criteria-empty-text': {
    statement: 'fhirPathCriteria may be left empty.',
    source: 'Webhook AidboxTopicDestination, fhirPathCriteria examples',
    verdict: 'stricter',
    here: 'An empty fhirPathCriteria answers 422; it may be absent.',
    because: 'FHIR has no empty strings, and a forgotten criteria would select everything',
  },
  'criteria-sees': {
    statement:
      'The criteria sees the resource itself, and as %current and %previous what it was after and before the write.',
    source: 'Topic-based subscriptions, AidboxSubscriptionTopic, fhirPathCriteria',
    verdict: 'same',
  },
  'criteria-previous-on-create': {
    statement: '%previous is empty on create.',
    source: 'Tutorial: Produce QuestionnaireResponse to Kafka topic, Using %current and %previous',
    verdict: 'same',
  },
  'criteria-current-on-delete': {
    statement: '%current is empty on delete, where %previous is the deleted resource.',
    source: 'Tutorial: Produce QuestionnaireResponse to Kafka topic, Using %current and %previous',
    verdict: 'same',
  },
  'criteria-one-of-two-codes': {
    statement: "Documented criteria: status = 'completed' or status = 'amended'.",
    source: 'Topic-based subscriptions, Create AidboxSubscriptionTopic resource',
    verdict: 'same',
  },
  'criteria-transition': {
    statement:
      "Documented criteria: %previous.status = 'in-progress' and %current.status = 'completed'.",
    source: 'Tutorial: Produce QuestionnaireResponse to Kafka topic, Using %current and %previous',
    verdict: 'same',
  },
  'criteria-becomes-final': {
    statement:
      "Documented criteria: %current.status = 'final' and %previous.status != 'final'; it does not fire on create.",
    source: 'Webhook AidboxTopicDestination, fhirPathCriteria examples',
    verdict: 'same',
  },
  'criteria-becomes-final-or-created': {
    statement:
      "Documented criteria: %current.status = 'final' and (%previous.empty() or %previous.status != 'final'); it fires on create as well.",
    source: 'Webhook AidboxTopicDestination, fhirPathCriteria examples',
    verdict: 'same',
  },
  'criteria-value-changes': {
    statement: 'Documented criteria: %current.birthDate != %previous.birthDate.',
    source: 'Webhook AidboxTopicDestination, fhirPathCriteria examples',
    verdict: 'same',
  },
  'criteria-identifier-added': {
    statement:
      'Documented criteria: an identifier whose type has a code exists in %current and not in %previous.',
    source: 'Webhook AidboxTopicDestination, fhirPathCriteria examples',
    verdict: 'same',
  },
  'criteria-resolve': {
    statement:
      'Documented criteria: subject.resolve() reads the patient of an encounter, whose identifier decides together with %current and %previous.',
    source: 'Aidbox/examples, aidbox-subscriptions-to-kafka, Step 4',
    verdict: 'same',
  },
  'criteria-malformed': {
    statement:
      'A criteria that does not compile shows in the log, and `$status` answers an internal error.',
    source: 'Webhook AidboxTopicDestination, Troubleshooting',
    verdict: 'stricter',
    here: 'A topic whose criteria does not compile answers 422 with line and column.',
    because: 'a typing error is found by who made it',
  },
  'criteria-fails': {
    statement: 'What becomes of an event whose criteria fails for this one resource is not said.',
    source: 'Webhook AidboxTopicDestination, Webhook is not firing',
    verdict: 'different',
    here: 'An event whose criteria fails is set aside and counted (`messagesUndecided`), and decided again when its topic changes; the write succeeds.',
    because: 'nothing is lost without a trace',
  },
} as const

/** The metadata of a canonical resource, with a value of each. */
export const topicElements = [
  { name: 'identifier', max: '*', type: 'Identifier' },
  { name: 'version', max: '1', type: 'string' },
  { name: 'versionAlgorithm[x]', max: '1', type: 'string' },
  { name: 'name', max: '1', type: 'string' },
  { name: 'title', max: '1', type: 'string' },
  { name: 'derivedFrom', max: '*', type: 'canonical' },
  { name: 'experimental', max: '1', type: 'boolean' },
  { name: 'date', max: '1', type: 'dateTime' },
  { name: 'publisher', max: '1', type: 'string' },
  { name: 'contact', max: '*', type: 'ContactDetail' },
  { name: 'description', max: '1', type: 'markdown' },
  { name: 'useContext', max: '*', type: 'UsageContext' },
  { name: 'jurisdiction', max: '*', type: 'CodeableConcept' },
  { name: 'purpose', max: '1', type: 'markdown' },
  { name: 'copyright', max: '1', type: 'markdown' },
  { name: 'copyrightLabel', max: '1', type: 'string' },
  { name: 'approvalDate', max: '1', type: 'date' },
  { name: 'lastReviewDate', max: '1', type: 'date' },
  { name: 'effectivePeriod', max: '1', type: 'Period' },
] as const

export const topicElementRows: Readonly<Record<string, ContractRow>> = Object.fromEntries(
  topicElements.map(({ name, max, type }) => [
    `topic-element-${name}`,
    {
      statement: `${name} is 0..${max} of ${type}; it comes back as written, and another form is refused.`,
      source: `Core module resources, AidboxSubscriptionTopic, ${name}`,
      verdict: 'same',
    },
  ]),
)
