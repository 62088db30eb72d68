import type { Bundle, BundleEntry, BundleLink } from '@medplum/fhirtypes'
import type { FhirResource } from '../../host/types.ts'
import { asResource } from '../resource-shapes.ts'
import type { HistoryRow } from './stored-versions.ts'

export interface HistoryPage {
  readonly resourceType: string
  readonly id: string
  readonly baseUrl: string
  readonly total: number
  readonly offset: number
  readonly limit: number
  /** The newest first. */
  readonly rows: readonly HistoryRow[]
}

/** One page of a resource's history (https://hl7.org/fhir/R4/http.html#history); a deletion is an entry without resource. */
export function historyBundle(
  page: HistoryPage,
  toAnswer: (resource: FhirResource) => FhirResource,
): Bundle {
  const { rows } = page
  return {
    resourceType: 'Bundle',
    type: 'history',
    total: page.total,
    link: linksOf(page),
    ...(rows.length === 0 ? {} : { entry: rows.map((row) => entryOf(page, row, toAnswer)) }),
  }
}

function entryOf(
  { resourceType, id, baseUrl }: HistoryPage,
  { content, method, creates, version_id: versionId, last_updated: lastUpdated }: HistoryRow,
  toAnswer: (resource: FhirResource) => FhirResource,
): BundleEntry {
  return {
    fullUrl: `${baseUrl}/${resourceType}/${id}`,
    ...(content === null ? {} : { resource: asResource(toAnswer(content)) }),
    request: { method, url: method === 'POST' ? resourceType : `${resourceType}/${id}` },
    response: {
      status: method === 'DELETE' ? '204' : creates ? '201' : '200',
      etag: `W/"${versionId}"`,
      lastModified: lastUpdated.toISOString(),
    },
  }
}

function linksOf({ resourceType, id, baseUrl, offset, limit, total }: HistoryPage): BundleLink[] {
  const link = (relation: string, from: number): BundleLink => ({
    relation,
    url: `${baseUrl}/${resourceType}/${id}/_history?_count=${limit}&_offset=${from}`,
  })
  const next = offset + limit
  return [link('self', offset), ...(limit > 0 && next < total ? [link('next', next)] : [])]
}
