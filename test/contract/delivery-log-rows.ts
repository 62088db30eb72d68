/** The log of delivery attempts. */
export const deliveryLogRows = {
  'log-off': {
    statement: 'Without enableLogging, or with false, attempts are not logged.',
    source: 'Topic-based subscriptions, Delivery logging',
    verdict: 'same',
  },
  'log-success': {
    statement:
      'enableLogging logs an AidboxSubscriptionStatus after a delivery: an id of its own, status active, type event-notification, topic and topic-destination.',
    source: 'Topic-based subscriptions, Delivery logging',
    verdict: 'same',
  },
  'log-failure': {
    statement: 'After an attempt that failed it has an error array of texts too.',
    source: 'Topic-based subscriptions, Delivery logging',
    verdict: 'same',
  },
  'log-level': {
    statement: 'logLevel is the level of these lines: error, warn, info, debug or trace.',
    source: 'Topic-based subscriptions, Delivery logging',
    verdict: 'same',
  },
  'log-level-default': {
    statement: 'The default of logLevel is info.',
    source: 'Topic-based subscriptions, AidboxTopicDestination, Elements',
    verdict: 'same',
  },
  'log-event-key': {
    statement: 'The lines are found by the event key topic-destination/status.',
    source: 'Topic-based subscriptions, Delivery logging',
    verdict: 'same',
  },
  'log-attempts': {
    statement: 'There is one line for each delivery attempt.',
    source: 'Topic-based subscriptions, Delivery logging',
    verdict: 'different',
    here: 'At least once logs one line for a Kafka transaction, with the numbers of its first and last event.',
    because: 'that is its attempt, of one event or of a thousand',
  },
} as const
