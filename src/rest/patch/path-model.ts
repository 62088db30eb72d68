import { capitalize, tryGetDataType } from '@medplum/core'
import r4, { choiceTypePaths, type2Parent } from 'fhirpath/fhir-context/r4'

/** The model that paths of a resource are evaluated by: R4's, with the choices of a type that R4 does not have, so that
 *  `parameter.value` finds `valueString` there too. */
export function pathModel(resourceType: string): typeof r4 {
  if (Object.hasOwn(type2Parent, resourceType)) return r4
  const schema = tryGetDataType(resourceType)
  const types = schema ? [schema, ...schema.innerTypes] : []
  const choices = types.flatMap(({ elements }) =>
    Object.values(elements).flatMap(({ path, type }): [string, string[]][] =>
      path.endsWith('[x]')
        ? [[path.slice(0, -'[x]'.length), type.map(({ code }) => capitalize(code))]]
        : [],
    ),
  )
  return { ...r4, choiceTypePaths: { ...choiceTypePaths, ...Object.fromEntries(choices) } }
}
