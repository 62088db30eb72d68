import type { OperationOutcomeIssue } from '@medplum/fhirtypes'
import { resourceInteractions, type ResourceTypeDefinition } from '../host/types.ts'
import { checkTopicTriggers, type TriggerCheckOptions } from '../triggers/check-topic-triggers.ts'
import { maxIssues } from './issue.ts'
import { organizationIssues } from './organization.ts'
import { topicSearchParameters } from './search-parameters.ts'
import { structureIssues } from './structure-check.ts'
import { topicDefinition } from './type-definitions.ts'

/** AidboxSubscriptionTopic as a host registers it. Whether its url is taken is checked in the transaction of the write, not here. */
export function subscriptionTopicType(options: TriggerCheckOptions = {}): ResourceTypeDefinition {
  return {
    definition: topicDefinition,
    profiles: [],
    searchParameters: topicSearchParameters,
    interactions: resourceInteractions,
    validate(resource) {
      const structure = structureIssues(resource, topicDefinition)
      const issues =
        structure.length > 0
          ? structure
          : [...organizationIssues(resource), ...checkTopicTriggers(resource, options)]
      // Errors first: what is cut off must not be what refuses the write.
      return issues.toSorted((a, b) => rank(a) - rank(b)).slice(0, maxIssues)
    },
  }
}

function rank({ severity }: OperationOutcomeIssue): number {
  return severity === 'error' ? 0 : 1
}
