import type { OperationDefinitionParameter } from '@medplum/fhirtypes'

type ParameterType = NonNullable<OperationDefinitionParameter['type']>

/** `*`: any number. */
type Max = '1' | '*'

export function inParameter(
  name: string,
  type: ParameterType,
  documentation: string,
): OperationDefinitionParameter {
  return { name, use: 'in', min: 0, max: '1', documentation, type }
}

export function outParameter(
  name: string,
  min: 0 | 1,
  type: ParameterType,
  documentation: string,
): OperationDefinitionParameter {
  return { name, use: 'out', min, max: '1', documentation, type }
}

export function outParts(
  name: string,
  max: Max | `${number}`,
  documentation: string,
  part: OperationDefinitionParameter[],
): OperationDefinitionParameter {
  return { name, use: 'out', min: 0, max, documentation, part }
}
