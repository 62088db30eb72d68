import type { OperationDefinition, SearchParameter, StructureDefinition } from '@medplum/fhirtypes'
import {
  backfillOperationDefinition,
  cancelOperationDefinition,
  deadLettersOperationDefinition,
  discardOperationDefinition,
  redriveOperationDefinition,
  replayOperationDefinition,
} from './delivery-operation-definitions.ts'
import { preflightOperationDefinition } from './preflight-operation-definition.ts'
import { destinationProfiles } from './profile-definitions.ts'
import { destinationSearchParameters, topicSearchParameters } from './search-parameters.ts'
import {
  dryRunOperationDefinition,
  explainOperationDefinition,
} from './topic-operation-definitions.ts'
import { statusOperationDefinition } from './status-operation-definition.ts'
import { destinationDefinition, topicDefinition } from './type-definitions.ts'

/** Every conformance resource of the module. profiles/ holds the same as JSON, one file each. */
export const definitions: readonly (StructureDefinition | SearchParameter | OperationDefinition)[] =
  [
    topicDefinition,
    destinationDefinition,
    ...destinationProfiles,
    ...topicSearchParameters,
    ...destinationSearchParameters,
    statusOperationDefinition,
    preflightOperationDefinition,
    redriveOperationDefinition,
    discardOperationDefinition,
    replayOperationDefinition,
    backfillOperationDefinition,
    cancelOperationDefinition,
    deadLettersOperationDefinition,
    explainOperationDefinition,
    dryRunOperationDefinition,
  ]
