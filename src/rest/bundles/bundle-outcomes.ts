import { OperationOutcomeError } from '@medplum/core'
import type { BundleEntry, OperationOutcome, OperationOutcomeIssue } from '@medplum/fhirtypes'
import { answerOf } from '../answer.ts'
import { errorOutcome, statusOf } from '../outcomes.ts'
import type { RestRequest, RoutedResponse } from '../routing.ts'
import { asJson } from '../resource-shapes.ts'

/** FHIRPath of an entry, or of an element in it. */
export function entryPath(index: number, element = ''): string {
  return `Bundle.entry[${index}]${element === '' ? '' : `.${element}`}`
}

export function entryError(
  index: number,
  element: string,
  text: string,
  code: OperationOutcomeIssue['code'] = 'invalid',
  id = 'bad-request',
): OperationOutcomeError {
  return new OperationOutcomeError(locateOutcome(errorOutcome(id, code, text), index, element))
}

/** The same outcome, about the element of an entry. */
export function locateOutcome(
  outcome: OperationOutcome,
  index: number,
  element = '',
): OperationOutcome {
  const expression = [entryPath(index, element)]
  return { ...outcome, issue: outcome.issue.map((issue) => ({ ...issue, expression })) }
}

/** The same outcome, of an entry's resource: paths into the resource become paths into the bundle. */
export function locateInResource(
  outcome: OperationOutcome,
  index: number,
  resourceType: string,
): OperationOutcome {
  const issue = outcome.issue.map(({ expression = [], ...rest }) => {
    const paths = expression.map((path) =>
      path === resourceType || path.startsWith(`${resourceType}.`)
        ? entryPath(index, `resource${path.slice(resourceType.length)}`)
        : entryPath(index),
    )
    return { ...rest, expression: paths.length > 0 ? [...new Set(paths)] : [entryPath(index)] }
  })
  return { ...outcome, issue }
}

/** An entry of the answer: what HTTP would have answered, in the elements that a bundle has for it. */
export function answerEntry(
  { response, interaction }: RoutedResponse,
  entry: Pick<RestRequest, 'method' | 'headers'>,
  prefer: string | readonly string[] | undefined,
): BundleEntry {
  const [outcome, resource] = response
  if (statusOf(outcome) >= 400) return failedEntry(outcome)
  const headers = {
    ...entry.headers,
    ...(prefer === undefined ? {} : { prefer: [prefer].flat().join(',') }),
  }
  const answer = answerOf(response, interaction, headers, '')
  const { location, etag } = answer.headers
  const lastUpdated =
    etag === undefined || !resource ? undefined : asJson(resource).meta?.lastUpdated
  const body = entry.method === 'HEAD' ? undefined : answer.body
  return {
    ...(body && body !== outcome ? { resource: body as NonNullable<BundleEntry['resource']> } : {}),
    response: {
      status: String(answer.status),
      ...(typeof location === 'string' ? { location: location.slice(1) } : {}),
      ...(typeof etag === 'string' ? { etag } : {}),
      ...(lastUpdated === undefined ? {} : { lastModified: lastUpdated }),
      ...(body === outcome ? { outcome } : {}),
    },
  }
}

export function failedEntry(outcome: OperationOutcome): BundleEntry {
  return { response: { status: String(statusOf(outcome)), outcome } }
}
