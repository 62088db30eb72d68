import type { OperationDefinition, OperationDefinitionParameter } from '@medplum/fhirtypes'
import { operationDefinition } from './operation-definition.ts'
import { inParameter, outParameter, outParts } from './operation-parameter.ts'
import { destinationTypeName } from './type-names.ts'

/** How a job gets on, as `$status` and the operations that begin one say it. */
const jobParts: OperationDefinitionParameter[] = [
  outParameter('id', 1, 'integer', 'Number of the job; records carry it as x-topic-delivery-job.'),
  outParameter('kind', 1, 'code', 'redrive, replay or backfill.'),
  outParameter('state', 1, 'code', 'running, done, cancelled or failed.'),
  outParameter('total', 0, 'decimal', 'Events that it is about; absent where nobody counts them.'),
  outParameter('sent', 1, 'decimal', 'Events that Kafka has acknowledged.'),
  outParameter(
    'failed',
    1,
    'decimal',
    'Events that Kafka refused, whose content is gone, or whose criteria could not be evaluated.',
  ),
  outParameter(
    'passedOver',
    0,
    'decimal',
    'Backfill: resources that the topic does not select, or that came as an event meanwhile.',
  ),
  outParameter(
    'maxPerSecond',
    1,
    'integer',
    'Most events a second; backfill: most resources that are looked at.',
  ),
  outParameter('error', 0, 'string', 'The newest of what went wrong.'),
  outParameter('startTimestamp', 1, 'dateTime', 'When it was asked for, UTC.'),
  outParameter('endTimestamp', 0, 'dateTime', 'When it ended, UTC.'),
]

export const jobsParameter: OperationDefinitionParameter = outParts(
  'job',
  '*',
  'The newest redrive, replay and backfill, the newest first.',
  jobParts,
)

const begunJob = outParts('job', '1', 'The job; $status says how it gets on.', jobParts)

const outcome = outParameter(
  'outcome',
  0,
  'OperationOutcome',
  'What the job will not send, and why.',
)

const onDestinations = {
  resourceType: destinationTypeName,
  levels: ['instance'],
  affectsState: true,
} as const

const numbers = [
  inParameter('fromEvent', 'positiveInt', 'Number of the first event that is meant.'),
  inParameter('toEvent', 'positiveInt', 'Number of the last event that is meant.'),
]

const times = [
  inParameter(
    'from',
    'dateTime',
    'Time of the oldest change that is meant, inclusive. A date begins at midnight UTC.',
  ),
  inParameter(
    'to',
    'dateTime',
    'Time of the newest change that is meant, inclusive. A date ends at midnight UTC: the whole day is meant.',
  ),
]

const maxPerSecond = inParameter(
  'maxPerSecond',
  'positiveInt',
  'Most events a second; backfill: most resources that are looked at. Default: the option jobMaxPerSecond.',
)

const all = inParameter('all', 'boolean', 'true: everything. Required where nothing else is given.')

const setAside = [
  all,
  inParameter('of', 'code', 'dead-letters or undecided. Default: both.'),
  ...numbers.map((each) => ({
    ...each,
    documentation: `${each.documentation ?? ''} Dead letters only.`,
  })),
  ...times,
  inParameter('error', 'string', 'Part of the error, in letters of any case.'),
]

/** `POST [base]/AidboxTopicDestination/<id>/$redrive`. */
export const redriveOperationDefinition: OperationDefinition = operationDefinition({
  code: 'redrive',
  ...onDestinations,
  name: 'AidboxTopicDestinationRedrive',
  title: 'Sends what was set aside',
  description:
    'At least once. Sends dead letters with their own numbers, in the background, and decides undecided events again, for every destination of their queue.',
  parameter: [
    ...setAside,
    inParameter(
      'decide',
      'boolean',
      'false: sends undecided events although nobody could decide whether the topic selects them. Default: true.',
    ),
    maxPerSecond,
    outParameter('deadLetters', 1, 'decimal', 'Dead letters that the job is about.'),
    outParameter('undecidedSent', 1, 'decimal', 'Undecided events that are on their way.'),
    outParameter('undecidedNotFired', 1, 'decimal', 'Those that the topic does not select.'),
    outParameter('undecidedKept', 1, 'decimal', 'Those that are undecided still.'),
    begunJob,
  ],
})

/** `POST [base]/AidboxTopicDestination/<id>/$discard`. */
export const discardOperationDefinition: OperationDefinition = operationDefinition({
  code: 'discard',
  ...onDestinations,
  name: 'AidboxTopicDestinationDiscard',
  title: 'Forgets what was set aside',
  description:
    'At least once. Forgets dead letters, and undecided events for every destination of their queue. $status counts them as messagesDiscarded.',
  parameter: [
    ...setAside,
    outParameter('deadLetters', 1, 'decimal', 'Dead letters that were forgotten.'),
    outParameter('undecided', 1, 'decimal', 'Undecided events that were forgotten.'),
  ],
})

/** `POST [base]/AidboxTopicDestination/<id>/$replay`. */
export const replayOperationDefinition: OperationDefinition = operationDefinition({
  code: 'replay',
  ...onDestinations,
  name: 'AidboxTopicDestinationReplay',
  title: 'Sends delivered events again',
  description:
    'At least once, and with the option deliveredRetentionMs. Sends delivered events again with their own numbers, in the background.',
  parameter: [
    all,
    ...numbers,
    ...times,
    maxPerSecond,
    outParameter('firstEvent', 1, 'decimal', 'Number of the first event that is sent again.'),
    outParameter('lastEvent', 1, 'decimal', 'Number of the last one.'),
    begunJob,
    outcome,
  ],
})

/** `POST [base]/AidboxTopicDestination/<id>/$backfill`. */
export const backfillOperationDefinition: OperationDefinition = operationDefinition({
  code: 'backfill',
  ...onDestinations,
  name: 'AidboxTopicDestinationBackfill',
  title: 'Sends the current state of everything that the topic selects',
  description:
    'At least once. Sends each resource that the topic selects as it is now, once, as a new event, in the background.',
  parameter: [maxPerSecond, begunJob, outcome],
})

/** `GET` or `POST [base]/AidboxTopicDestination/<id>/$dead-letters`. */
export const deadLettersOperationDefinition: OperationDefinition = operationDefinition({
  code: 'dead-letters',
  resourceType: destinationTypeName,
  levels: ['instance'],
  name: 'AidboxTopicDestinationDeadLetters',
  title: 'Lists what was set aside',
  description:
    'At least once. A page of the dead letters, the newest first, or of the undecided events, the oldest first: what $redrive and $discard with the same selection are about. Without content of resources, and without what is of another organization than the one that the destination is limited to.',
  parameter: [
    inParameter('of', 'code', 'dead-letters or undecided. Default: dead-letters.'),
    ...setAside.filter(({ name }) => name !== 'all' && name !== 'of'),
    inParameter('after', 'string', 'next of the page before. Default: the first page.'),
    inParameter('count', 'positiveInt', 'Most events of the page, at most 500. Default: 50.'),
    outParts('event', '*', 'One event.', [
      outParameter('eventNumber', 0, 'decimal', 'Dead letters: the number that it keeps.'),
      outParameter('id', 0, 'string', 'Undecided events: rises with time.'),
      outParameter('topicUrl', 1, 'uri', 'Topic that has selected it, or would.'),
      outParameter('interaction', 1, 'code', 'create, update or delete.'),
      outParameter('focus', 1, 'Reference', 'Version of the resource.'),
      outParameter('time', 1, 'dateTime', 'Time of the change, UTC.'),
      outParameter('correlationId', 0, 'string', 'Of the request that has made the change.'),
      outParameter('failedTimestamp', 0, 'dateTime', 'Dead letters: when Kafka refused it, UTC.'),
      outParameter('attempts', 0, 'integer', 'Undecided events: how often it was tried.'),
      outParameter(
        'nextAttemptTimestamp',
        0,
        'dateTime',
        'Undecided events: when it is tried again though the topic stays the same, UTC.',
      ),
      outParameter('error', 1, 'string', 'Why.'),
    ]),
    outParameter('next', 0, 'string', 'after of the next page; absent at the end.'),
  ],
})

/** `POST [base]/AidboxTopicDestination/<id>/$cancel`. */
export const cancelOperationDefinition: OperationDefinition = operationDefinition({
  code: 'cancel',
  ...onDestinations,
  name: 'AidboxTopicDestinationCancel',
  title: 'Ends running jobs',
  description: 'Ends a redrive, a replay or a backfill. What was sent stays sent.',
  parameter: [
    inParameter('job', 'positiveInt', 'Number of the job. Default: every one that is running.'),
    outParts('job', '*', 'Those that were ended.', jobParts),
  ],
})
