import type {
  CapabilityStatement,
  CapabilityStatementRestResource,
  CapabilityStatementRestResourceOperation,
  CapabilityStatementRestResourceSearchParam,
  SearchParameter,
} from '@medplum/fhirtypes'
import {
  resourceInteractions,
  type Operation,
  type ResourceTypeDefinition,
} from '../../host/types.ts'
import { modulePackage } from '../../module-package.ts'

export interface CapabilityInput {
  readonly baseUrl: string
  /** Every served type, R4's and registered ones. */
  readonly resourceTypes: readonly string[]
  readonly registered: ReadonlyMap<string, ResourceTypeDefinition>
  readonly operations: readonly Operation[]
  readonly searchParameters: (
    resourceType: string,
  ) => readonly Pick<SearchParameter, 'code' | 'type' | 'url'>[]
  readonly isAuthenticationRequired: boolean
  /** When the server was set up. */
  readonly date: Date
}

const { name, version } = modulePackage

/** What the server can do, computed from the same tables that its routes are made of.
 *  https://hl7.org/fhir/R4/capabilitystatement.html */
export function capabilityStatement(input: CapabilityInput): CapabilityStatement {
  return {
    resourceType: 'CapabilityStatement',
    status: 'active',
    date: input.date.toISOString(),
    kind: 'instance',
    software: { name, version },
    implementation: {
      description: 'FHIR R4 server with Kafka topic destinations',
      url: input.baseUrl,
    },
    fhirVersion: '4.0.1',
    format: ['application/fhir+json', 'json'],
    patchFormat: ['application/json-patch+json', 'application/fhir+json'],
    rest: [
      {
        mode: 'server',
        ...(input.isAuthenticationRequired
          ? {
              security: { description: 'Bearer token or basic authentication; /metadata is open.' },
            }
          : {}),
        resource: input.resourceTypes.toSorted().map((type) => restResource(type, input)),
        interaction: [{ code: 'transaction' }, { code: 'batch' }],
      },
    ],
  }
}

function restResource(type: string, input: CapabilityInput): CapabilityStatementRestResource {
  const registered = input.registered.get(type)
  const interactions = registered?.interactions ?? resourceInteractions
  return {
    // The types of FHIR R4 are a closed list in fhirtypes; a registered type is not among them.
    type: type as CapabilityStatementRestResource['type'],
    profile: registered?.definition.url ?? `http://hl7.org/fhir/StructureDefinition/${type}`,
    ...(registered ? { supportedProfile: registered.profiles.map(({ url }) => url) } : {}),
    ...(registered?.documentation === undefined ? {} : { documentation: registered.documentation }),
    interaction: interactions.map((code) => ({ code })),
    versioning: 'versioned',
    readHistory: interactions.includes('vread'),
    updateCreate: interactions.includes('update'),
    conditionalCreate: interactions.includes('create'),
    conditionalUpdate: interactions.includes('update'),
    conditionalRead: 'full-support',
    conditionalDelete: interactions.includes('delete') ? 'multiple' : 'not-supported',
    searchParam: input.searchParameters(type).map(searchParam),
    operation: [validateOperation, ...operationsOf(type, input.operations)],
  }
}

const validateOperation: CapabilityStatementRestResourceOperation = {
  name: 'validate',
  definition: 'http://hl7.org/fhir/OperationDefinition/Resource-validate',
}

function operationsOf(
  type: string,
  operations: readonly Operation[],
): CapabilityStatementRestResourceOperation[] {
  const ofType = operations.filter(({ resourceType }) => resourceType === type)
  // One that is on the type and on instances has one definition.
  const byCode = new Map(ofType.map(({ code, definition }) => [code, definition]))
  return [...byCode].map(([code, definition]) => ({
    name: code,
    definition: definition.url ?? `OperationDefinition/${definition.id ?? code}`,
  }))
}

function searchParam({
  code,
  type,
  url,
}: Pick<SearchParameter, 'code' | 'type' | 'url'>): CapabilityStatementRestResourceSearchParam {
  return { name: code, type, ...(url === '' ? {} : { definition: url }) }
}
