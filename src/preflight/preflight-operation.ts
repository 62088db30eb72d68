import { allOk, notFound, OperationOutcomeError } from '@medplum/core'
import type { OperationOutcome, OperationOutcomeIssue } from '@medplum/fhirtypes'
import type { FhirHost, FhirResource, Operation, OperationRequest } from '../host/types.ts'
import { preflightOperationDefinition } from '../resources/preflight-operation-definition.ts'
import { destinationTypeName } from '../resources/type-names.ts'
import {
  inputNames,
  OperationInput,
  refusedParameter,
} from '../topic-operations/operation-input.ts'
import type { DestinationPreflight } from './destination-preflight.ts'

export interface PreflightOperationParts {
  readonly host: Pick<FhirHost, 'authorize' | 'read'>
  readonly preflight: Pick<DestinationPreflight, 'issuesOf'>
}

/** `POST AidboxTopicDestination/$preflight` about the destination in the body, and `POST AidboxTopicDestination/<id>/$preflight` about the stored
 *  one. Answers 200 whatever was found.
 *
 *  It connects to where the destination says, so whoever calls it must be allowed to write the destination: it tells no more than creating it and
 *  reading its $status would. */
export function preflightOperations(parts: PreflightOperationParts): readonly Operation[] {
  return (['type', 'instance'] as const).map((level) => ({
    code: 'preflight',
    resourceType: destinationTypeName,
    level,
    methods: ['POST'],
    definition: preflightOperationDefinition,
    handle: async (request) => ({ outcome: allOk, resource: await answer(parts, request) }),
  }))
}

const names = inputNames(preflightOperationDefinition)

async function answer(
  { host, preflight }: PreflightOperationParts,
  { id, principal, input }: OperationRequest,
): Promise<OperationOutcome> {
  const reference = id === undefined ? destinationTypeName : `${destinationTypeName}/${id}`
  await host.authorize?.(principal, 'preflight', reference)
  await host.authorize?.(principal, id === undefined ? 'create' : 'update', reference)
  const given = new OperationInput(input, names).resource('destination')
  if (given?.id !== undefined) {
    // Its secrets are those of the destination with this id.
    await host.authorize?.(principal, 'update', `${destinationTypeName}/${given.id}`)
  }
  const destination = id === undefined ? given : (await host.read([reference])).get(reference)
  if (id !== undefined && given) {
    const text = 'Leave out destination: the URL says which one is meant.'
    throw refusedParameter('destination', 'invalid', text)
  }
  const checkedDestination = checked(destination, id)
  const previous = id === undefined ? undefined : checkedDestination
  return outcomeOf(await preflight.issuesOf(checkedDestination, previous))
}

function checked(destination: FhirResource | undefined, id: string | undefined): FhirResource {
  if (destination?.resourceType === destinationTypeName) return destination
  if (id !== undefined) throw new OperationOutcomeError(notFound)
  const text = `Give the ${destinationTypeName} as a resource.`
  throw refusedParameter('destination', 'required', text)
}

function outcomeOf(found: readonly OperationOutcomeIssue[]): OperationOutcome {
  const none: OperationOutcomeIssue = {
    severity: 'information',
    code: 'informational',
    details: { text: 'The preflight found no problem.' },
  }
  const isFaultless = found.every(({ severity }) => severity === 'information')
  return { resourceType: 'OperationOutcome', issue: isFaultless ? [none, ...found] : [...found] }
}
