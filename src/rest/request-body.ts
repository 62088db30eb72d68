import { TextDecoder } from 'node:util'
import { OperationOutcomeError } from '@medplum/core'
import { badRequestError, unsupportedMediaType } from './outcomes.ts'
import { parseQuery } from './request-url.ts'

/** Deepest nesting of arrays and objects in a body. R4's deepest real resources (nested Questionnaire items) stay below 40. */
const maxNesting = 200

const jsonTypes = new Set([
  'application/json',
  'application/fhir+json',
  'application/json+fhir',
  'application/json-patch+json',
  'application/merge-patch+json',
  'text/json',
])
const formType = 'application/x-www-form-urlencoded'

/** Whether a body of the content type is read as JSON; one without a content type is. */
export function isJsonType(contentType: string | undefined): boolean {
  const { mediaType } = parseContentType(contentType)
  return mediaType === undefined || jsonTypes.has(mediaType)
}

/** Reads a body of JSON; one without a content type is taken for JSON. `undefined` when there is no body.
 *  @throws OperationOutcomeError `unsupported-media-type` or `bad-request` */
export function parseJsonBody(body: Buffer | undefined, contentType: string | undefined): unknown {
  if (!body || body.length === 0) return undefined
  if (!isJsonType(contentType)) {
    throw new OperationOutcomeError(
      unsupportedMediaType('Send the body as application/fhir+json or application/json.'),
    )
  }
  const text = decode(body, parseContentType(contentType).charset)
  assertNesting(text)
  const value = parseJson(text)
  if (mayHoldUnstorableText.test(text)) rejectUnstorableText(value)
  return value
}

/** What another parser made of a body, unchanged.
 *  @throws OperationOutcomeError `bad-request` for what {@link parseJsonBody} would refuse */
export function assertStorableJson(value: unknown): unknown {
  if (typeof value === 'object' && value !== null) assertNesting(JSON.stringify(value))
  rejectUnstorableText(value)
  return value
}

/** @throws OperationOutcomeError `bad-request` for JSON text that is nested too deep */
export function assertNesting(text: string): void {
  if (nestingOf(text) <= maxNesting) return
  throw badRequestError(`The content is nested deeper than ${maxNesting} levels.`, 'too-costly')
}

/** Reads the parameters of a search by POST, which are a form, or an empty body.
 *  @throws OperationOutcomeError `unsupported-media-type` or `bad-request` */
export function parseFormBody(
  body: Buffer | undefined,
  contentType: string | undefined,
): ReturnType<typeof parseQuery> {
  if (!body || body.length === 0) return {}
  const { mediaType, charset } = parseContentType(contentType)
  if (mediaType !== undefined && mediaType !== formType) {
    throw new OperationOutcomeError(unsupportedMediaType(`Send the search as ${formType}.`))
  }
  return parseQuery(decode(body, charset))
}

function parseContentType(contentType: string | undefined): {
  mediaType?: string
  charset?: string
} {
  const [type = '', ...parameters] = (contentType ?? '')
    .split(';')
    .map((part) => part.trim().toLowerCase())
  const charset = parameters
    .find((parameter) => parameter.startsWith('charset='))
    ?.slice('charset='.length)
  return {
    ...(type === '' ? {} : { mediaType: type }),
    ...(charset === undefined ? {} : { charset: charset.replaceAll('"', '') }),
  }
}

function decode(body: Buffer, charset = 'utf-8'): string {
  let decoder: TextDecoder
  try {
    decoder = new TextDecoder(charset, { fatal: true })
  } catch {
    throw new OperationOutcomeError(unsupportedMediaType('Send the body in UTF-8.'))
  }
  try {
    return decoder.decode(body)
  } catch {
    throw badRequestError(
      'The bytes of the body are no text in its charset (UTF-8 unless it says otherwise).',
    )
  }
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text) as unknown
  } catch (error) {
    // The engine's message quotes the body; only its position is passed on.
    const position = error instanceof SyntaxError && /position (\d+)/.exec(error.message)?.[1]
    throw badRequestError(
      `The body is not valid JSON${position ? ` (at position ${position})` : ''}.`,
      'structure',
    )
  }
}

/** Depth of brackets outside strings, without building anything: JSON.parse has no limit, but what walks its result has one. */
function nestingOf(text: string): number {
  let depth = 0
  let deepest = 0
  let isInString = false
  for (let index = 0; index < text.length; index++) {
    const code = text.charCodeAt(index)
    if (isInString) {
      if (code === 0x5c) index++
      else if (code === 0x22) isInString = false
    } else if (code === 0x22) isInString = true
    else if (code === 0x7b || code === 0x5b) deepest = Math.max(deepest, ++depth)
    else if (code === 0x7d || code === 0x5d) depth--
  }
  return deepest
}

// jsonb refuses U+0000 and surrogates without a partner. JSON can only carry them as escapes.
const mayHoldUnstorableText = /\\u(?:0000|d[89a-f])/i

function rejectUnstorableText(value: unknown): void {
  if (typeof value === 'string') {
    if (value.includes('\0') || /\p{Surrogate}/u.test(value)) {
      throw badRequestError(
        'The body holds a character that FHIR does not allow (U+0000 or half a surrogate pair).',
        'value',
      )
    }
  } else if (typeof value === 'object' && value !== null) {
    for (const [name, element] of Object.entries(value)) {
      rejectUnstorableText(name)
      rejectUnstorableText(element)
    }
  }
}
