import {
  contentModes,
  destinationKinds,
  destinationStatuses,
  logLevels,
} from './destination-kinds.ts'
import { backbone, optional, required, requiredList, type ElementSpec } from './element-spec.ts'

/** Every primitive type of FHIR R4; the profiles say which of them a parameter takes. */
const primitiveTypes = [
  'string',
  'url',
  'uri',
  'code',
  'integer',
  'unsignedInt',
  'positiveInt',
  'boolean',
  'base64Binary',
  'canonical',
  'date',
  'dateTime',
  'decimal',
  'id',
  'instant',
  'markdown',
  'oid',
  'time',
  'uuid',
] as const

/** Children of `AidboxTopicDestination.parameter`. */
export const parameterElements: readonly ElementSpec[] = [
  required('name', 'string', 'Name of the parameter.'),
  optional('value[x]', primitiveTypes, 'Value of the parameter, or the extension that hides it.'),
]

/** Elements of AidboxTopicDestination beside those of every resource. */
export const destinationElements: readonly ElementSpec[] = [
  required('topic', 'uri', 'Url of the AidboxSubscriptionTopic whose events are sent.'),
  required('kind', 'code', 'What is delivered to, and with which guarantee.', {
    codes: destinationKinds,
  }),
  optional('status', 'code', 'active (default) sends; off pauses: events of at least once wait.', {
    codes: destinationStatuses,
  }),
  backbone(
    requiredList(
      'parameter',
      'BackboneElement',
      'Connection and behaviour; the profile of the kind lists the names.',
    ),
    parameterElements,
  ),
  optional(
    'content',
    'code',
    'How much of the resource a notification carries; default full-resource.',
    {
      codes: contentModes,
    },
  ),
  optional(
    'includeEntryAction',
    'boolean',
    'Adds the interaction to the entry as an extension; default false.',
  ),
  optional(
    'includeVersionId',
    'boolean',
    'Adds the version id to the entry as an extension; default false.',
  ),
  optional(
    'includeVersionIdInFocusReference',
    'boolean',
    'Makes the focus a reference to the version; default false.',
  ),
  optional(
    'enableLogging',
    'boolean',
    'Logs each delivery attempt without content; default false.',
  ),
  optional('logLevel', 'code', 'Level of the delivery log; default info.', { codes: logLevels }),
]
