import type { SearchParameter } from '@medplum/fhirtypes'
import { compiledParameters } from './compiled-parameters.ts'

/** The search parameters that this server really answers for a type: those of type token, string, uri, reference and date.
 *  Call it when the definitions of R4 are loaded. */
export function supportedSearchParameters(
  resourceType: string,
): readonly Pick<SearchParameter, 'code' | 'type' | 'url'>[] {
  return [...compiledParameters(resourceType).values()].map(({ code, type, url }) => ({
    code,
    type,
    url,
  }))
}
