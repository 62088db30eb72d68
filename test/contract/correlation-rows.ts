/** The correlation id of a request and of its events. */
export const correlationRows = {
  'correlation-copied': {
    statement:
      'The header x-topic-correlation-id of a create, update or delete becomes correlationId of its event.',
    source: 'Topic-based subscriptions, Correlation id',
    verdict: 'same',
  },
  'correlation-absent': {
    statement: 'Without the header correlationId is left out; none is generated.',
    source: 'Topic-based subscriptions, Correlation id',
    verdict: 'same',
  },
  'correlation-opaque': {
    statement: 'The value is an opaque string that is copied as it is.',
    source: 'Topic-based subscriptions, Correlation id',
    verdict: 'same',
  },
  'correlation-header-name': {
    statement: 'The name of the header is a setting of the server.',
    source: 'Topic-based subscriptions, Correlation id',
    verdict: 'same',
  },
  'correlation-other-header': {
    statement: 'X-Correlation-Id, which is for request logs, is not read.',
    source: 'Topic-based subscriptions, Correlation id',
    verdict: 'same',
  },
  'correlation-transaction': {
    statement: 'All events of a transaction bundle carry the correlation id of its request.',
    source: 'Topic-based subscriptions, Correlation id',
    verdict: 'same',
  },
  'correlation-batch': {
    statement: 'All events of a batch bundle carry the correlation id of its request.',
    source: 'Topic-based subscriptions, Correlation id',
    verdict: 'same',
  },
  'correlation-conditional-delete': {
    statement: 'All events of a conditional delete of several resources carry its correlation id.',
    source: 'Topic-based subscriptions, Correlation id',
    verdict: 'same',
  },
  'correlation-redelivery': {
    statement:
      'The correlation id is stored with the event: what is delivered after failures carries it too.',
    source: 'Topic-based subscriptions, Correlation id',
    verdict: 'same',
  },
  'correlation-no-toggle': {
    statement: 'Every destination gets it, whatever its kind and content.',
    source: 'Topic-based subscriptions, Correlation id',
    verdict: 'same',
  },
} as const
