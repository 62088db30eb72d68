/** GET AidboxTopicDestination/<id>/$status. */
export const statusRows = {
  'status-best-effort': {
    statement:
      'Best effort answers Parameters: messagesDelivered, messagesInProcess and messagesLost as decimal, startTimestamp as dateTime, status as string, in this order.',
    source: 'Kafka AidboxTopicDestination, Status Introspection',
    verdict: 'same',
  },
  'status-at-least-once': {
    statement:
      'At least once answers Parameters: messagesDelivered, messagesDeliveryAttempts, messagesInProcess and messagesQueued as decimal, startTimestamp as dateTime, status as string, in this order.',
    source: 'Kafka AidboxTopicDestination, Status Introspection',
    verdict: 'same',
  },
  'status-start-timestamp': {
    statement: 'startTimestamp is in UTC and seconds.',
    source: 'Kafka AidboxTopicDestination, Status Introspection, startTimestamp',
    verdict: 'same',
  },
  'status-active': {
    statement: 'status is active while notifications are sent.',
    source: 'Kafka AidboxTopicDestination, Status Introspection, status',
    verdict: 'same',
  },
  'status-delivered': {
    statement: 'messagesDelivered counts the events that were delivered.',
    source: 'Kafka AidboxTopicDestination, Status Introspection, messagesDelivered',
    verdict: 'same',
  },
  'status-delivery-attempts': {
    statement: 'messagesDeliveryAttempts counts the attempts that failed, and only those.',
    source: 'Kafka AidboxTopicDestination, Status Introspection, messagesDeliveryAttempts',
    verdict: 'same',
  },
  'status-in-process': {
    statement: 'messagesInProcess is the number of events in the buffer, under way to Kafka.',
    source: 'Kafka AidboxTopicDestination, Status Introspection, messagesInProcess',
    verdict: 'same',
  },
  'status-queued': {
    statement: 'messagesQueued is the number of stored events that wait.',
    source: 'Kafka AidboxTopicDestination, Status Introspection, messagesQueued',
    verdict: 'same',
  },
  'status-lost': {
    statement: 'messagesLost counts the events that could not be delivered.',
    source: 'Kafka AidboxTopicDestination, Status Introspection, messagesLost',
    verdict: 'same',
  },
  'status-last-error': {
    statement:
      'lastErrorDetail has the parts message, a string, and timestamp, a dateTime in UTC, and comes after status.',
    source: 'Kafka AidboxTopicDestination, Status Introspection, lastErrorDetail',
    verdict: 'same',
  },
  'status-last-errors': {
    statement: 'lastErrorDetail comes up to five times, with the newest errors first.',
    source: 'Kafka AidboxTopicDestination, Status Introspection, lastErrorDetail',
    verdict: 'same',
  },
  'status-all-nodes': {
    statement: 'All of `$status` but messagesQueued is what the one replica that answers has done.',
    source: 'Webhook AidboxTopicDestination, Counter semantics',
    verdict: 'different',
    here: '`$status` counts over all nodes.',
    because: 'one number to look at',
  },
  'status-restart': {
    statement: 'The counters are in memory and start again with the server.',
    source: 'Webhook AidboxTopicDestination, Counter semantics',
    verdict: 'different',
    here: 'The counters and startTimestamp outlive the server.',
    because: 'a restart is no reason to forget what was delivered',
  },
  'status-no-sender': {
    statement:
      '`$status` answers an internal error (no sender) when the destination could not be started.',
    source: 'Webhook AidboxTopicDestination, Troubleshooting',
    verdict: 'different',
    here: '`$status` answers `error` and the cause in `statusReason`; the destination starts by itself when the cause is gone.',
    because: 'the cause stands where one looks',
  },
  'status-own-parameters': {
    statement: 'The answer ends with lastErrorDetail.',
    source: 'Kafka AidboxTopicDestination, Status Introspection',
    verdict: 'different',
    here: '`messagesDead`, `messagesUndecided`, `messagesNotKept`, `messagesNotFired`, `messagesDiscarded` and `statusReason` follow lastErrorDetail.',
    because: 'what was set aside must be seen',
  },
  'status-missing': {
    statement: '`$status` of a destination that does not exist answers 404.',
    source: 'FHIR R4, RESTful API, instance operations',
    verdict: 'same',
  },
} as const
