import type { IncomingHttpHeaders } from 'node:http'
import { OperationOutcomeError, preconditionFailed } from '@medplum/core'
import type { FhirResource } from '../host/types.ts'
import { badRequestError } from './outcomes.ts'

/** The version that an If-Match or If-None-Match value names: `W/"1"`, `"1"` and bare `1` are the same. */
function versionOf(entityTag: string): string | undefined {
  return /^(?:W\/)?(?:"([^"]+)"|([^",\s]+))$/.exec(entityTag.trim())?.slice(1).find(Boolean)
}

/** If-Match in the one form that routes read, `W/"1"`.
 *  @throws OperationOutcomeError `bad-request` for anything that names no single version: ignoring it would write unconditionally */
export function normalizeIfMatch(ifMatch: string | undefined): string | undefined {
  if (ifMatch === undefined) return undefined
  const version = versionOf(ifMatch)
  if (version === undefined || version === '*')
    throw badRequestError('If-Match must name one version, such as W/"1".')
  return `W/"${version}"`
}

/** What a write says of the version that it finds. */
export interface WriteCondition {
  /** versionId that the current version must have. */
  readonly ifMatch?: string
  /** versionIds that the current version must not have; `*`: there must be no current version. */
  readonly ifNoneMatch?: '*' | readonly string[]
}

/** @param headers after {@link normalizeIfMatch}
 *  @throws OperationOutcomeError `bad-request` for an If-None-Match that cannot be read: ignoring it would write unconditionally */
export function writeCondition(headers: IncomingHttpHeaders | undefined): WriteCondition {
  const ifMatch = /"([^"]+)"/.exec(headers?.['if-match'] ?? '')?.[1]
  const ifNoneMatch = headers?.['if-none-match']
  return {
    ...(ifMatch === undefined ? {} : { ifMatch }),
    ...(ifNoneMatch === undefined ? {} : { ifNoneMatch: versionsIn(ifNoneMatch) }),
  }
}

function versionsIn(ifNoneMatch: string): '*' | string[] {
  if (ifNoneMatch.trim() === '*') return '*'
  return ifNoneMatch.split(',').map((tag) => {
    const version = versionOf(tag)
    if (version !== undefined && version !== '*') return version
    throw badRequestError('If-None-Match must be * or name versions, such as W/"1".')
  })
}

/** @param versionId of the current version; undefined: there is none, or it is deleted
 *  @throws OperationOutcomeError `precondition-failed` (412) */
export function assertCondition(
  versionId: string | undefined,
  { ifMatch, ifNoneMatch }: WriteCondition,
): void {
  const isOther = ifMatch !== undefined && ifMatch !== versionId
  const isNamed =
    versionId !== undefined && (ifNoneMatch === '*' || ifNoneMatch?.includes(versionId) === true)
  if (isOther || isNamed) throw new OperationOutcomeError(preconditionFailed)
}

/** If-None-Exist as a bare query, of the query itself, `?query`, `Type?query` or a full URL.
 *  @param type of the resource to create
 *  @throws OperationOutcomeError `bad-request` when it is about another type, or holds no criteria: it would match every resource of
 *  the type */
export function normalizeIfNoneExist(
  ifNoneExist: string | undefined,
  type: string,
): string | undefined {
  if (ifNoneExist === undefined) return undefined
  // A value of the query may hold a question mark as well.
  const [, address = '', query = ifNoneExist] = /^([^?=]*)\?(.*)$/s.exec(ifNoneExist.trim()) ?? []
  const named = address.split('/').at(-1)
  if (named !== '' && named !== type) {
    throw badRequestError(`If-None-Exist must be about the type that is created, ${type}.`)
  }
  if (!query.includes('=')) throw badRequestError('If-None-Exist must hold search parameters.')
  return query.trim()
}

/** Why a conditional update must not be done; undefined when it may.
 *  @param givenId the id in the body
 *  @param matchedId the id of the one resource that matches; undefined: nothing does */
export function conditionalIdFault(
  givenId: string | undefined,
  matchedId: string | undefined,
): string | undefined {
  if (givenId === undefined || givenId === matchedId) return undefined
  return matchedId === undefined
    ? 'Nothing matches; leave out the id to have the resource created, or put it into the url.'
    : 'The id must be that of the resource that matches.'
}

/** Whether a read may answer 304: by If-None-Match, or without it by If-Modified-Since (whole seconds). */
export function isNotModified(
  resource: FhirResource,
  headers: {
    readonly ifNoneMatch: string | undefined
    readonly ifModifiedSince: string | undefined
  },
): boolean {
  const { versionId, lastUpdated } = resource.meta ?? {}
  if (headers.ifNoneMatch !== undefined) {
    return headers.ifNoneMatch
      .split(',')
      .some((tag) => tag.trim() === '*' || versionOf(tag) === versionId)
  }
  if (headers.ifModifiedSince === undefined || lastUpdated === undefined) return false
  const sinceMs = Date.parse(headers.ifModifiedSince)
  return Math.floor(Date.parse(lastUpdated) / 1000) * 1000 <= sinceMs
}
