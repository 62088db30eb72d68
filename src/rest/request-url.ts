import { badRequestError, notFoundError } from './outcomes.ts'
import type { QueryParameters } from './routing.ts'

/** A request, with the path decoded. */
export interface RequestTarget {
  /** `[]` for the base itself, `['Patient', '1']`, …, without the segments of the base. */
  readonly segments: readonly string[]
  /** Without the question mark; as the client encoded it. */
  readonly search: string
  readonly query: QueryParameters
}

// What a type name, an id, a version, `_search` or `$status` is made of. No resource or route has any other name.
const segmentPattern = /^[A-Za-z0-9\-._$]{1,128}$/

/** Takes `/`, `//Patient/1` and percent-encoded segments.
 *  @throws OperationOutcomeError `not-found` for what can be no address here, `bad-request` when the encoding is broken */
export function parseTarget(rawUrl: string): RequestTarget {
  const queryStart = rawUrl.indexOf('?')
  const path = queryStart < 0 ? rawUrl : rawUrl.slice(0, queryStart)
  const search = queryStart < 0 ? '' : rawUrl.slice(queryStart + 1)
  const segments = path.split('/').filter(Boolean).map(decode)
  if (!segments.every((segment) => segmentPattern.test(segment))) {
    throw notFoundError('No resource and no operation has this address.')
  }
  return { segments, search, query: parseQuery(search) }
}

// The body of a search is a form, and may be as large as any body.
const maxQueryParts = 1000

/** @throws OperationOutcomeError `bad-request` for U+0000, which PostgreSQL cannot compare with, and for too many parameters */
export function parseQuery(search: string): QueryParameters {
  if (search.split('&', maxQueryParts + 1).length > maxQueryParts) {
    throw badRequestError(`The query has more than ${maxQueryParts} parameters.`, 'too-costly')
  }
  const values = new Map<string, string | string[]>()
  for (const [name, value] of new URLSearchParams(search)) {
    if (name.includes('\0') || value.includes('\0')) {
      throw badRequestError('The query holds the character U+0000.', 'value')
    }
    const earlier = values.get(name)
    if (Array.isArray(earlier)) earlier.push(value)
    else values.set(name, earlier === undefined ? value : [earlier, value])
  }
  return Object.fromEntries(values)
}

function decode(segment: string): string {
  try {
    return decodeURIComponent(segment)
  } catch {
    throw badRequestError('The path of the URL is not correctly percent-encoded.')
  }
}
