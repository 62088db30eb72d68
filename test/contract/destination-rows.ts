/** AidboxTopicDestination: its elements, its life, and what the two kinds promise. */
export const destinationRows = {
  'destination-profile-since-2604': {
    statement:
      'meta.profile names the kind since 2604: aidboxtopicdestination-kafkaBestEffortProfile or -kafkaAtLeastOnceProfile.',
    source: 'Kafka AidboxTopicDestination, Configuration',
    verdict: 'same',
  },
  'destination-profile-before-2604': {
    statement:
      'meta.profile named the kind before 2604: aidboxtopicdestination-kafka-best-effort or -kafka-at-least-once.',
    source: 'Kafka AidboxTopicDestination, Aidbox version compatibility',
    verdict: 'same',
  },
  'destination-profile-required': {
    statement: 'meta.profile must have the profile of the kind.',
    source: 'Topic-based subscriptions, AidboxTopicDestination Profile',
    verdict: 'same',
  },
  'destination-kind': {
    statement: 'kind is required and a code.',
    source: 'Topic-based subscriptions, AidboxTopicDestination, Elements',
    verdict: 'same',
  },
  'destination-other-kinds': {
    statement: 'There are kinds for webhooks, NATS, AMQP, cloud services and data warehouses too.',
    source: 'Topic-based subscriptions, AidboxTopicDestination, Elements',
    verdict: 'different',
    here: 'Kinds other than the two of Kafka answer 422.',
    because: 'this module sends to Kafka',
  },
  'destination-topic': {
    statement: 'topic is required: the url of the AidboxSubscriptionTopic.',
    source: 'Topic-based subscriptions, AidboxTopicDestination, Elements',
    verdict: 'same',
  },
  'destination-topic-missing': {
    statement:
      'A destination whose topic does not exist is stored; its `$status` answers an internal error.',
    source: 'Webhook AidboxTopicDestination, Troubleshooting',
    verdict: 'stricter',
    here: 'A destination whose topic does not exist answers 422, unless the topic is in the same bundle.',
    because: 'a wrong url is found by who wrote it',
  },
  'destination-topic-gone': {
    statement:
      '`$status` answers an internal error (no sender) when the topic of the destination goes away.',
    source: 'Webhook AidboxTopicDestination, Troubleshooting',
    verdict: 'different',
    here: '`$status` answers `error` and the cause in `statusReason` until the topic is back.',
    because: 'the cause stands where one looks',
  },
  'destination-status': {
    statement: 'status is optional; active is the documented value.',
    source: 'Topic-based subscriptions, AidboxTopicDestination, Elements',
    verdict: 'same',
  },
  'destination-status-off': {
    statement: 'active is the only status that has a meaning for now.',
    source: 'Topic-based subscriptions, AidboxTopicDestination, Elements',
    verdict: 'different',
    here: '`off` pauses delivery and `active` resumes it; events of at least once wait.',
    because: 'maintenance of Kafka needs no DELETE',
  },
  'destination-status-codes': {
    statement: 'status is one of requested, active, error, off and entered-in-error.',
    source: 'Core module resources, AidboxTopicDestination, status',
    verdict: 'same',
  },
  'destination-parameter': {
    statement: 'parameter is required, in the shape of Parameters.parameter.',
    source: 'Topic-based subscriptions, AidboxTopicDestination, Elements',
    verdict: 'same',
  },
  'destination-content': {
    statement: 'content is full-resource, id-only or empty; other codes are refused.',
    source: 'Topic-based subscriptions, AidboxTopicDestination, Elements',
    verdict: 'same',
  },
  'destination-flags': {
    statement:
      'includeEntryAction, includeVersionId, includeVersionIdInFocusReference and enableLogging are boolean.',
    source: 'Topic-based subscriptions, AidboxTopicDestination, Elements',
    verdict: 'same',
  },
  'destination-log-level': {
    statement: 'logLevel is error, warn, info, debug or trace; other codes are refused.',
    source: 'Topic-based subscriptions, AidboxTopicDestination, Elements',
    verdict: 'same',
  },
  'destination-as-written': {
    statement: 'A destination is read back as it was written, each value in its type and place.',
    source: 'Kafka AidboxTopicDestination, Examples',
    verdict: 'same',
  },
  'destination-keeps-id': {
    statement: 'POST keeps the id that the client gives a destination, alone and in bundles.',
    source: 'Topic-based subscriptions, Updating a TopicDestination',
    verdict: 'same',
  },
  'destination-search-topic': {
    statement: 'Destinations are found by the search parameter topic.',
    source: 'Core module resources, AidboxTopicDestination, Search Parameters',
    verdict: 'same',
  },
  'destination-conditional-create': {
    statement:
      'Init scripts create a destination under the condition that no resource has its _id.',
    source: 'FHIR R4, RESTful API, Conditional create',
    verdict: 'same',
  },
  'destination-update': {
    statement: 'PUT and PATCH of a destination answer 405, alone and in bundles.',
    source: 'Topic-based subscriptions, Updating a TopicDestination',
    verdict: 'different',
    here: 'PUT and PATCH change a destination in place (`strictAidbox: true` answers 405).',
    because: 'no gap and no loss when something changes',
  },
  'destination-update-topic': {
    statement: 'A destination that is deleted and posted with another topic loses what waits.',
    source: 'Topic-based subscriptions, Updating a TopicDestination',
    verdict: 'different',
    here: 'PUT with another topic delivers what waits, then the events of the new topic.',
    because: 'a renamed topic is no reason to lose events',
  },
  'destination-update-kind': {
    statement: 'The kind of a destination changes by DELETE and POST.',
    source: 'Topic-based subscriptions, Updating a TopicDestination',
    verdict: 'same',
  },
  'destination-strict': {
    statement:
      'With strictAidbox PUT and PATCH of a destination answer 405, alone and in bundles, a topic takes PUT, and DELETE and POST replace the destination.',
    source: 'Topic-based subscriptions, Updating a TopicDestination',
    verdict: 'same',
  },
  'destination-replace': {
    statement:
      'A batch of DELETE and POST replaces a destination under its id, as often as it is sent; the DELETE of one that is not there answers 204.',
    source: 'Topic-based subscriptions, Updating a TopicDestination',
    verdict: 'same',
  },
  'destination-delete': {
    statement: 'Deleting a destination stops its delivery.',
    source: 'Topic-based subscriptions, Stop subscription data processing',
    verdict: 'same',
  },
  'destination-delete-missing': {
    statement:
      'DELETE of a destination that was never there answers 204 alone and in a batch; a transaction fails.',
    source: 'Topic-based subscriptions, Updating a TopicDestination',
    verdict: 'same',
  },
  'destination-several': {
    statement: 'Several destinations of one topic get each event, each on its own.',
    source: 'Topic-based subscriptions, AidboxTopicDestination',
    verdict: 'same',
  },
  'at-least-once-transaction': {
    statement:
      'At least once stores an event in the transaction of the write: a transaction that fails sends nothing, one that succeeds sends all.',
    source: 'Kafka AidboxTopicDestination, At least once',
    verdict: 'same',
  },
  'at-least-once-waits': {
    statement: 'At least once keeps events while Kafka cannot be reached and delivers them later.',
    source: 'Kafka AidboxTopicDestination, At least once',
    verdict: 'same',
  },
  'at-least-once-kafka-transactions': {
    statement: 'At least once sends with transactional Kafka producers.',
    source: 'Kafka AidboxTopicDestination, At least once',
    verdict: 'same',
  },
  'at-least-once-replication-factor': {
    statement:
      'A transaction.state.log.replication.factor above the number of brokers shows as a timeout while awaiting InitProducerId.',
    source: 'Kafka AidboxTopicDestination, At least once',
    verdict: 'same',
  },
  'at-least-once-too-large': {
    statement: 'What cannot be sent is tried again for ever.',
    source: 'Webhook AidboxTopicDestination, Troubleshooting',
    verdict: 'different',
    here: 'A record too large for Kafka is set aside and counted (`messagesDead`).',
    because: 'its neighbours go on; everything else is tried again for ever here too',
  },
  'best-effort-lost': {
    statement: 'Best effort keeps events in memory and loses them when Kafka cannot be reached.',
    source: 'Kafka AidboxTopicDestination, Best effort',
    verdict: 'same',
  },
  'best-effort-transaction': {
    statement: 'Best effort sends while a bundle is processed; what fails later is not revoked.',
    source: 'Kafka AidboxTopicDestination, Best effort',
    verdict: 'different',
    here: 'Best effort sends after COMMIT.',
    because: 'a consumer never sees what was rolled back',
  },
} as const
