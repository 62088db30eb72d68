import type { OperationDefinition, ResourceType } from '@medplum/fhirtypes'
import { artifactUrl } from './canonical-urls.ts'
import { definitionHeader } from './definition-header.ts'

export interface OperationSpec {
  readonly code: string
  /** Its id is this type and the code. */
  readonly resourceType: string
  readonly levels: readonly ('type' | 'instance')[]
  readonly name: string
  readonly title?: string
  readonly description?: string
  /** @default false */
  readonly affectsState?: boolean
  readonly parameter?: OperationDefinition['parameter']
}

/** An operation on one resource type of this module. */
export function operationDefinition(spec: OperationSpec): OperationDefinition {
  const { code, resourceType, levels, name, title, description, parameter } = spec
  const id = `${resourceType}-${code}`
  return {
    resourceType: 'OperationDefinition',
    id,
    url: artifactUrl('OperationDefinition', id),
    name,
    ...(title !== undefined && { title }),
    ...definitionHeader,
    kind: 'operation',
    ...(description !== undefined && { description }),
    affectsState: spec.affectsState ?? false,
    code,
    // The list of resource types in fhirtypes ends with those of FHIR R4.
    resource: [resourceType as ResourceType],
    system: false,
    type: levels.includes('type'),
    instance: levels.includes('instance'),
    ...(parameter && { parameter }),
  }
}
