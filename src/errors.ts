/** Every error code of the module, with what it means. README's table of errors is this one. */
export const errorCodes = {
  KTD_INVALID_OPTION: 'An option of the module is missing or out of range.',
  KTD_NOT_REGISTERED: 'start() was called before register(host).',
  KTD_SCHEMA_TOO_NEW:
    'The outbox schema in the database was written by a newer version of this module.',
  KTD_FENCED: 'Another node has taken over this destination; this node must stop sending for it.',
  KTD_KAFKA: 'Kafka refused or did not answer; the kind of the error says what happens next.',
  KTD_INVALID_PARAMETER: 'A parameter of a destination cannot be used.',
  KTD_SECRET: 'A secret reference is unknown, out of scope or unreadable.',
  KTD_CRITERIA: 'A fhirPathCriteria could not be evaluated.',
  KTD_NO_TRANSACTION:
    'A change that must be written down in the SQL transaction of the write came without one.',
  KTD_STOPPED: 'The module has been stopped.',
  KTD_HISTORY_TABLES:
    'The history tables of the server are not as the options say, or cannot be given their triggers.',
  KTD_TOPOLOGY:
    'A topology file cannot be used, or a Kafka cluster cannot be brought in line with it.',
  KTD_DATABASE: 'A database cannot be reached by the command line, or refuses what it does.',
  KTD_REQUEST: 'A FHIR server cannot be reached by the command line, or refuses its request.',
} as const
export type ErrorCode = keyof typeof errorCodes

export interface ErrorDetails {
  readonly cause?: unknown
  /** FHIRPath of the element at fault. */
  readonly expression?: string
}

/** Base of every error this module throws on purpose. Its message never holds a secret or resource content. */
export class TopicDestinationError extends Error {
  override readonly name: string = 'TopicDestinationError'
  readonly code: ErrorCode
  readonly expression: string | undefined
  readonly isTopicDestinationError: true = true

  constructor(code: ErrorCode, message: string, details: ErrorDetails = {}) {
    super(message, details.cause === undefined ? undefined : { cause: details.cause })
    this.code = code
    this.expression = details.expression
  }
}

/** Works across two installed copies of the package, where `instanceof` does not. */
export function isTopicDestinationError(error: unknown): error is TopicDestinationError {
  return typeof error === 'object' && error !== null && 'isTopicDestinationError' in error
}

/** Somebody else has taken over; whoever is told so must write nothing more. */
export function isFenced(error: unknown): boolean {
  return isTopicDestinationError(error) && error.code === 'KTD_FENCED'
}
