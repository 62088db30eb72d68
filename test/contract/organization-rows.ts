/** Topics and destinations that belong to an organization. */
export const organizationRows = {
  'organization-api': {
    statement:
      'What is created through the API of an organization is marked by the server with an extension of its meta.',
    source: 'Topic-based subscriptions, Organization-based hierarchical filtering',
    verdict: 'different',
    here: 'Organizations have no API of their own; the client or the host writes the extension.',
    because: 'access control belongs to the host',
  },
  'organization-none': {
    statement:
      'A topic and a destination without an organization get the events of all and of none.',
    source: 'Topic-based subscriptions, Organization-based hierarchical filtering',
    verdict: 'same',
  },
  'organization-event-without': {
    statement: 'A topic or a destination with an organization skips events without one.',
    source: 'Topic-based subscriptions, Organization-based hierarchical filtering',
    verdict: 'same',
  },
  'organization-equal-or-below': {
    statement:
      'A topic or a destination with an organization gets the events of it and of those below it in the hierarchy.',
    source: 'Topic-based subscriptions, Organization-based hierarchical filtering',
    verdict: 'same',
  },
  'organization-above-or-unrelated': {
    statement:
      'A topic or a destination with an organization skips the events of organizations above it and beside it.',
    source: 'Topic-based subscriptions, Organization-based hierarchical filtering',
    verdict: 'same',
  },
  'organization-topic-then-destination': {
    statement:
      'The topic filters first, then the destination: a topic of A and a destination of B, which is below A, leave the events of B.',
    source: 'Topic-based subscriptions, Example 1: Organization hierarchy with event filtering',
    verdict: 'same',
  },
  'organization-destination-alone': {
    statement:
      'The destination filters alone where the topic has no organization; other destinations of the topic get all.',
    source: 'Topic-based subscriptions, Example 2: Filtering at the destination level only',
    verdict: 'same',
  },
  'organization-best-effort': {
    statement: 'Both kinds filter alike.',
    source: 'Topic-based subscriptions, Organization-based hierarchical filtering',
    verdict: 'same',
  },
} as const
