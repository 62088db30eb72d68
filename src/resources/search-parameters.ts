import { capitalize } from '@medplum/core'
import type { ResourceType, SearchParameter } from '@medplum/fhirtypes'
import { artifactUrl } from './canonical-urls.ts'
import { definitionHeader } from './definition-header.ts'
import { destinationTypeName, topicTypeName } from './type-names.ts'

export const topicSearchParameters: readonly SearchParameter[] = [
  searchParameter(topicTypeName, 'url', 'uri', 'Canonical url of the topic.'),
  searchParameter(topicTypeName, 'status', 'token', 'Status of the topic.'),
]

export const destinationSearchParameters: readonly SearchParameter[] = [
  searchParameter(destinationTypeName, 'topic', 'uri', 'Url of the topic whose events are sent.'),
  searchParameter(destinationTypeName, 'status', 'token', 'Status of the destination.'),
  searchParameter(destinationTypeName, 'kind', 'token', 'Kind of the destination.'),
]

function searchParameter(
  typeName: string,
  code: string,
  type: 'uri' | 'token',
  description: string,
): SearchParameter {
  const id = `${typeName}-${code}`
  return {
    resourceType: 'SearchParameter',
    id,
    url: artifactUrl('SearchParameter', id),
    name: `${typeName}${capitalize(code)}`,
    ...definitionHeader,
    description,
    code,
    // The list of resource types in fhirtypes ends with those of FHIR R4.
    base: [typeName as ResourceType],
    type,
    expression: `${typeName}.${code}`,
  }
}
