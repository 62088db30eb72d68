/** The value of the Kafka record. */
export const notificationRows = {
  'notification-bundle': {
    statement: 'The value is a Bundle of type history with a timestamp in UTC and seconds.',
    source: 'Topic-based subscriptions, Notification Shape',
    verdict: 'same',
  },
  'notification-status': {
    statement:
      'The first entry holds an AidboxSubscriptionStatus: status active, type event-notification, topic and topic-destination.',
    source: 'Topic-based subscriptions, Notification Shape',
    verdict: 'same',
  },
  'notification-status-elements': {
    statement:
      'AidboxSubscriptionStatus also knows eventsSinceSubscriptionStart, error, notificationEvent.timestamp and additionalContext; notifications do not show them.',
    source: 'Core module resources, AidboxSubscriptionStatus',
    verdict: 'same',
  },
  'notification-event': {
    statement: 'A notification has one event, whose focus is a reference to the resource.',
    source: 'Topic-based subscriptions, Notification Shape',
    verdict: 'same',
  },
  'notification-event-number': {
    statement: 'eventNumber is the sequencing index of the event.',
    source: 'Core module resources, AidboxSubscriptionStatus, notificationEvent.eventNumber',
    verdict: 'same',
  },
  'notification-full-resource': {
    statement:
      'With full-resource, the default, the second entry has the resource as it is stored.',
    source: 'Topic-based subscriptions, Notification Shape, full-resource',
    verdict: 'same',
  },
  'notification-id-only': {
    statement: 'With id-only the second entry has no resource, and all the rest.',
    source: 'Topic-based subscriptions, Notification Shape, id-only',
    verdict: 'same',
  },
  'notification-empty': {
    statement: 'With empty there is the first entry alone.',
    source: 'Topic-based subscriptions, Notification Shape, empty',
    verdict: 'same',
  },
  'notification-full-url': {
    statement: 'fullUrl is the base URL of the server, type and id.',
    source: 'Topic-based subscriptions, Notification Shape, full-resource',
    verdict: 'same',
  },
  'notification-request-create': {
    statement: 'request of a create is POST with the path of the type, /fhir/Patient.',
    source: 'Topic-based subscriptions, Notification Shape, full-resource',
    verdict: 'same',
  },
  'notification-request-update': {
    statement: 'request of an update is PUT with the path of the resource, /fhir/Patient/1.',
    source: 'FHIR R4, Bundle, history entries',
    verdict: 'same',
  },
  'notification-delete': {
    statement: 'The entry of a delete has no resource; its request is DELETE with the path.',
    source: 'FHIR R4, Bundle, history entries',
    verdict: 'same',
  },
  'notification-no-extensions': {
    statement: 'Without flags the entry has no extension and the focus no version.',
    source: 'Topic-based subscriptions, Entry extensions',
    verdict: 'same',
  },
  'notification-entry-action': {
    statement:
      'includeEntryAction adds the extension bundle-entryActionCode with create, update or delete.',
    source: 'Topic-based subscriptions, Entry extensions',
    verdict: 'same',
  },
  'notification-entry-version': {
    statement: 'includeVersionId adds the extension bundle-entryVersionId with meta.versionId.',
    source: 'Topic-based subscriptions, Entry extensions',
    verdict: 'same',
  },
  'notification-focus-version': {
    statement: 'includeVersionIdInFocusReference makes the focus Patient/1/_history/5.',
    source: 'Topic-based subscriptions, Focus reference with version id',
    verdict: 'same',
  },
  'notification-combinations': {
    statement:
      'The flags work one by one and together, with full-resource and with id-only; with empty only the focus changes.',
    source: 'Topic-based subscriptions, Entry extensions',
    verdict: 'same',
  },
  'notification-kinds-alike': {
    statement: 'Both kinds send the same notification.',
    source: 'Topic-based subscriptions, Notification Shape',
    verdict: 'same',
  },
  'notification-headers': {
    statement: 'Only the destinations for NATS are said to set headers.',
    source: 'Topic-based subscriptions, Correlation id',
    verdict: 'different',
    here: 'Records carry CloudEvents headers (`cloudEventsHeaders: false` leaves them out), content type, traceparent and correlation id.',
    because: 'consumers drop doubles by `ce_id` and route without parsing',
  },
} as const
