import {
  getAllDataTypes,
  indexDefaultSearchParameters,
  indexSearchParameter,
  indexStructureDefinitionBundle,
  tryGetProfile,
} from '@medplum/core'
import type { ResourceTypeDefinition } from '../host/types.ts'

/** Makes a type known to the validator and the search of @medplum/core.
 *
 *  Core files a definition among the types only when its url is one of HL7's or Medplum's; ours goes to the index of
 *  profiles, from where it is entered by hand. */
export function indexResourceType({
  definition,
  profiles,
  searchParameters,
}: ResourceTypeDefinition): void {
  indexStructureDefinitionBundle([definition, ...profiles])
  const schema = tryGetProfile(definition.url)
  if (!schema) throw new Error(`${definition.url} has no snapshot that @medplum/core can read.`)
  const types = getAllDataTypes()
  types[definition.type] = schema
  for (const inner of schema.innerTypes) types[inner.name] = inner
  indexDefaultSearchParameters([definition])
  for (const parameter of searchParameters) indexSearchParameter(parameter)
}
