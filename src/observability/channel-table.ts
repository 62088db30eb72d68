import { channel, type Channel } from 'node:diagnostics_channel'

const destination = 'Reference of the destination.'
const kafkaTopic = 'Topic of Kafka.'
const durationMs = 'Time that it took, in milliseconds.'
const cause = 'Why, in words for an operator.'

/** The fields of each channel. */
interface ChannelFields {
  match: 'changes' | 'events' | 'bestEffortEvents' | 'undecided' | 'durationMs'
  enqueue: 'events' | 'undecided' | 'durationMs'
  leading: 'destination' | 'epoch' | 'isLeading'
  connection: 'destination' | 'isOpen'
  page: 'destination' | 'kafkaTopic' | 'firstEventNumber' | 'events' | 'attempts' | 'durationMs'
  failure: 'destination' | 'failures' | 'cause'
  deadLetter: 'destination' | 'eventNumber' | 'eventId' | 'cause'
  delivered: 'destination' | 'kafkaTopic' | 'eventNumber' | 'durationMs'
  lost: 'destination' | 'cause'
  decided: 'fired' | 'notFired' | 'undecided'
}

export type ChannelKey = keyof ChannelFields

export interface ChannelDefinition<Field extends string = string> {
  readonly name: `fhir-topic-destination:${string}`
  readonly doc: string
  /** What each field says. */
  readonly fields: Readonly<Record<Field, string>>
}

/** The channels of `node:diagnostics_channel` and the fields of their messages, each of which also has `schema`: the PostgreSQL schema of
 *  the outbox. Fields are texts, numbers and booleans, never content of a resource, a resource's id or a secret. */
export const channelTable: {
  readonly [Key in ChannelKey]: ChannelDefinition<ChannelFields[Key]>
} = {
  match: {
    name: 'fhir-topic-destination:match',
    doc: 'The changes of a transaction were matched, before COMMIT.',
    fields: {
      changes: 'Changes of the transaction, those of topics and destinations left out.',
      events: 'Events for at-least-once destinations: one a topic and organization.',
      bestEffortEvents: 'Events for best-effort destinations: one a destination.',
      undecided: 'Events whose criteria could not be decided.',
      durationMs,
    },
  },
  enqueue: {
    name: 'fhir-topic-destination:enqueue',
    doc: 'Events were written to the outbox, before COMMIT.',
    fields: { events: 'How many.', undecided: 'Undecided ones.', durationMs },
  },
  leading: {
    name: 'fhir-topic-destination:leading',
    doc: 'This node begins or ends to deliver an at-least-once destination.',
    fields: {
      destination,
      epoch: 'Number of the leadership.',
      isLeading: 'false: it has ended.',
    },
  },
  connection: {
    name: 'fhir-topic-destination:connection',
    doc: 'The producer of an at-least-once destination is open or closed.',
    fields: { destination, isOpen: 'false: it was closed.' },
  },
  page: {
    name: 'fhir-topic-destination:page',
    doc: 'Kafka has a page of an at-least-once destination.',
    fields: {
      destination,
      kafkaTopic,
      firstEventNumber: 'Number of the first event.',
      events: 'Events of the page.',
      attempts: '1: the first attempt has succeeded.',
      durationMs: 'Time of the attempt that has succeeded, in milliseconds.',
    },
  },
  failure: {
    name: 'fhir-topic-destination:failure',
    doc: 'An attempt of an at-least-once destination has failed; it tries again after a back-off.',
    fields: {
      destination,
      failures: 'Attempts that have failed since the last success.',
      cause: 'Why, in words for an operator; undefined where the log tells more.',
    },
  },
  deadLetter: {
    name: 'fhir-topic-destination:dead-letter',
    doc: 'An event was set aside because Kafka can never take it.',
    fields: { destination, eventNumber: 'Its number.', eventId: 'Its id in the outbox.', cause },
  },
  delivered: {
    name: 'fhir-topic-destination:delivered',
    doc: 'Kafka has an event of a best-effort destination.',
    fields: { destination, kafkaTopic, eventNumber: 'Its number.', durationMs },
  },
  lost: {
    name: 'fhir-topic-destination:lost',
    doc: 'An event of a best-effort destination was dropped.',
    fields: { destination, cause },
  },
  decided: {
    name: 'fhir-topic-destination:decided',
    doc: 'Undecided events were decided again.',
    fields: {
      fired: 'On their way to Kafka.',
      notFired: 'Removed.',
      undecided: 'Still undecided.',
    },
  },
}

/** What is published, without `schema`. */
export type ChannelMessage<Key extends ChannelKey> = Readonly<
  Record<ChannelFields[Key], string | number | boolean | undefined>
>

const channels = Object.fromEntries(
  Object.entries(channelTable).map(([key, { name }]) => [key, channel(name)]),
  // One channel for each key of the table.
) as Readonly<Record<ChannelKey, Channel>>

/** Costs next to nothing while nobody listens. */
export function publish<Key extends ChannelKey>(
  key: Key,
  schema: string,
  message: ChannelMessage<Key>,
): void {
  if (channels[key].hasSubscribers) channels[key].publish({ schema, ...message })
}
