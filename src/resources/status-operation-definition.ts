import type { OperationDefinition } from '@medplum/fhirtypes'
import { jobsParameter } from './delivery-operation-definitions.ts'
import { operationDefinition } from './operation-definition.ts'
import { outParameter, outParts } from './operation-parameter.ts'
import { destinationTypeName } from './type-names.ts'

/** `GET` or `POST [base]/AidboxTopicDestination/<id>/$status`. First Aidbox's parameters in its order, then those of this module. */
export const statusOperationDefinition: OperationDefinition = operationDefinition({
  code: 'status',
  resourceType: destinationTypeName,
  levels: ['instance'],
  name: 'AidboxTopicDestinationStatus',
  title: 'Delivery status of a destination',
  description:
    'Says how delivery to this destination goes. The counters hold for all nodes and survive restarts.',
  parameter: [
    outParameter('messagesDelivered', 1, 'decimal', 'Events that Kafka has acknowledged.'),
    outParameter('messagesDeliveryAttempts', 0, 'decimal', 'At least once: attempts that failed.'),
    outParameter('messagesInProcess', 1, 'decimal', 'Events on their way to Kafka.'),
    outParameter('messagesLost', 0, 'decimal', 'Best effort: events that were given up.'),
    outParameter('messagesQueued', 0, 'decimal', 'At least once: events waiting for delivery.'),
    outParameter('startTimestamp', 1, 'dateTime', 'When the counters started, UTC.'),
    outParameter('status', 1, 'string', 'active, off or error.'),
    outParts('lastErrorDetail', '5', 'The last errors, newest first.', [
      outParameter('message', 1, 'string', 'What went wrong.'),
      outParameter('timestamp', 1, 'dateTime', 'When it was seen last.'),
    ]),
    outParameter(
      'messagesDead',
      0,
      'decimal',
      'At least once: events that can never be delivered and are set aside.',
    ),
    outParameter(
      'messagesUndecided',
      0,
      'decimal',
      'Changes whose criteria could not be evaluated. At least once: those kept that this destination would get if they fired now; best effort: of those lost.',
    ),
    outParameter(
      'messagesNotKept',
      0,
      'decimal',
      'At least once: undecided changes that were only counted, because there were more than maxUndecidedPerTopic.',
    ),
    outParameter(
      'messagesNotFired',
      0,
      'decimal',
      'At least once: undecided changes that the criteria did not select when they were decided again.',
    ),
    outParameter(
      'messagesDiscarded',
      0,
      'decimal',
      'At least once: undecided changes and dead letters that an operator has discarded.',
    ),
    outParameter(
      'exactlyOnce',
      0,
      'boolean',
      'At least once: consumers of committed records get each event once, also after a crash.',
    ),
    outParameter('exactlyOnceFault', 0, 'string', 'Why exactlyOnce is false.'),
    outParameter('statusReason', 0, 'string', 'Why the status is error.'),
    jobsParameter,
  ],
})
