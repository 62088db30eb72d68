/** Names of the module's two resource types. */
export const topicTypeName = 'AidboxSubscriptionTopic'
export const destinationTypeName = 'AidboxTopicDestination'
