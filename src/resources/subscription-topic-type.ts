import { resourceInteractions, type ResourceTypeDefinition } from '../host/types.ts'
import { checkTopicTriggers } from '../triggers/check-topic-triggers.ts'
import { topicSearchParameters } from './search-parameters.ts'
import { structureIssues } from './structure-check.ts'
import { topicDefinition } from './type-definitions.ts'

/** AidboxSubscriptionTopic as a host registers it. Whether its url is taken is checked in the transaction of the write, not here. */
export function subscriptionTopicType(): ResourceTypeDefinition {
  return {
    definition: topicDefinition,
    profiles: [],
    searchParameters: topicSearchParameters,
    interactions: resourceInteractions,
    validate(resource) {
      const structure = structureIssues(resource, topicDefinition)
      return structure.length > 0 ? structure : checkTopicTriggers(resource)
    },
  }
}
