import type { OperationDefinition, OperationDefinitionParameter } from '@medplum/fhirtypes'
import { isJsonObject, type JsonObject } from '../../resources/json-shapes.ts'

/** Parameters as an object: the value of each by its name, parts as objects, a list for each that may come several times. */
export function plainParameters(
  parameters: JsonObject,
  definition: OperationDefinition,
): Record<string, unknown> {
  return plain(parameters['parameter'], definition.parameter ?? [])
}

function plain(
  given: unknown,
  defined: readonly OperationDefinitionParameter[],
): Record<string, unknown> {
  const values: Record<string, unknown> = {}
  for (const each of Array.isArray(given) ? (given as unknown[]) : []) {
    if (!isJsonObject(each) || typeof each['name'] !== 'string') continue
    const { name } = each
    const definition = defined.find((one) => one.name === name && one.use !== 'in')
    const value = valueOf(each, definition)
    const isList = definition !== undefined && definition.max !== '1'
    const before = values[name]
    values[name] = isList ? [...(Array.isArray(before) ? (before as unknown[]) : []), value] : value
  }
  return values
}

function valueOf(
  parameter: JsonObject,
  definition: OperationDefinitionParameter | undefined,
): unknown {
  if ('part' in parameter) return plain(parameter['part'], definition?.part ?? [])
  const key = Object.keys(parameter).find((each) => each !== 'name')
  return key === undefined ? undefined : parameter[key]
}
