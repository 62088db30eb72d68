import type { OperationDefinition } from '@medplum/fhirtypes'
import { operationDefinition } from './operation-definition.ts'
import { inParameter, outParameter } from './operation-parameter.ts'
import { destinationTypeName } from './type-names.ts'

/** `POST [base]/AidboxTopicDestination/$preflight` and `POST [base]/AidboxTopicDestination/<id>/$preflight`. */
export const preflightOperationDefinition: OperationDefinition = operationDefinition({
  code: 'preflight',
  resourceType: destinationTypeName,
  levels: ['type', 'instance'],
  name: 'AidboxTopicDestinationPreflight',
  title: 'What would keep a destination from delivering',
  description:
    'Connects to Kafka with the credentials of the destination and says every problem that it finds. Nothing is stored and no record is written.',
  parameter: [
    inParameter(
      'destination',
      'Resource',
      'The AidboxTopicDestination; on type level only, where it is required.',
    ),
    outParameter(
      'return',
      1,
      'OperationOutcome',
      'An issue for each problem, with the path of the parameter to look at.',
    ),
  ],
})
