import type { OperationDefinition } from '@medplum/fhirtypes'
import { operationDefinition } from './operation-definition.ts'
import { inParameter, outParameter, outParts } from './operation-parameter.ts'
import { topicTypeName } from './type-names.ts'

const onTopics = { resourceType: topicTypeName, levels: ['type', 'instance'] } as const

const topicParameter = inParameter(
  'topic',
  'Resource',
  'The AidboxSubscriptionTopic; on type level only, where it is required.',
)

const outcomeParameter = outParameter(
  'outcome',
  0,
  'OperationOutcome',
  'What a write of the topic would be warned of, and what else to know about the answer.',
)

const value = outParts('value', '5', 'The first items that the part came to.', [
  outParameter('type', 1, 'string', 'FHIRPath type: FHIR.code, System.Integer, …'),
  outParameter('text', 0, 'string', 'The item when it is a primitive, up to 200 characters.'),
])

const result = outParameter(
  'result',
  1,
  'code',
  'true, false, empty, value (anything else), error (the evaluation failed here) or not-evaluated.',
)

/** `POST [base]/AidboxSubscriptionTopic/$explain` and `POST [base]/AidboxSubscriptionTopic/<id>/$explain`. */
export const explainOperationDefinition: OperationDefinition = operationDefinition({
  code: 'explain',
  ...onTopics,
  name: 'AidboxSubscriptionTopicExplain',
  title: 'Why a topic fires or not',
  description:
    'Decides a topic on one change as a live one would be decided, and says what decided it. Nothing is sent.',
  parameter: [
    topicParameter,
    inParameter(
      'current',
      'Resource',
      'The resource after the change; absent for a delete. Or a valueReference to a stored version (Patient/1/_history/3) or the current one (Patient/1).',
    ),
    inParameter(
      'previous',
      'Resource',
      'The resource before the change; absent for a create. Or a valueReference, as current.',
    ),
    inParameter(
      'interaction',
      'code',
      'create, update or delete. Default: by which of current and previous are there.',
    ),
    outParameter('topic', 1, 'uri', 'Url of the topic.'),
    outParameter('interaction', 1, 'code', 'The interaction that was decided.'),
    outParameter('fires', 0, 'boolean', 'Whether the topic fires; absent when that is undecided.'),
    outParameter('error', 0, 'string', 'Why it is undecided.'),
    outParameter(
      'isOfOrganization',
      0,
      'boolean',
      'Whether the resource belongs to the organization of the topic; asked when a trigger fires.',
    ),
    outParts('trigger', '*', 'The triggers of the topic, in its order.', [
      outParameter('fires', 0, 'boolean', 'Whether it fires; absent when that is undecided.'),
      outParameter(
        'decidedBy',
        1,
        'code',
        'resource or interaction (it is on others), no-criteria, guard (the index found a condition that does not hold), exact (the index decided alone) or criteria (it was evaluated).',
      ),
      outParameter('guard', 0, 'string', 'The condition of the index that does not hold.'),
      outParameter('error', 0, 'string', 'Why it is undecided.'),
      outParameter('position', 0, 'string', 'Where the evaluation failed: line 1, column 12.'),
      outParameter('steps', 0, 'integer', 'Steps of the evaluation that decided; 20000 stop it.'),
      outParts('part', '*', 'What the and and or of the criteria join.', [
        outParameter('expression', 1, 'string', 'As written.'),
        outParameter('position', 1, 'string', 'Where it begins: line 1, column 1.'),
        result,
        value,
        outParts('operand', '2', 'The sides of a comparison, without literals.', [
          outParameter('expression', 1, 'string', 'As written.'),
          outParameter('position', 1, 'string', 'Where it begins: line 1, column 1.'),
          result,
          value,
        ]),
      ]),
    ]),
    outcomeParameter,
  ],
})

/** `POST [base]/AidboxSubscriptionTopic/$dry-run` and `POST [base]/AidboxSubscriptionTopic/<id>/$dry-run`. */
export const dryRunOperationDefinition: OperationDefinition = operationDefinition({
  code: 'dry-run',
  ...onTopics,
  name: 'AidboxSubscriptionTopicDryRun',
  title: 'What a topic would have sent',
  description:
    'Decides a topic on past changes, the newest first, as if it had been there. References are resolved as they are now. Nothing is sent.',
  parameter: [
    topicParameter,
    inParameter('last', 'positiveInt', 'Most changes. Default: the limit of the server.'),
    inParameter(
      'from',
      'dateTime',
      'Time of the oldest change that is wanted, inclusive. A date begins at midnight UTC.',
    ),
    inParameter(
      'to',
      'dateTime',
      'Time of the newest change that is wanted, inclusive. A date ends at midnight UTC: the whole day is wanted.',
    ),
    inParameter(
      'timeoutMs',
      'positiveInt',
      'Most time in milliseconds. Default: the limit of the server.',
    ),
    inParameter(
      'samples',
      'unsignedInt',
      'Most samples that fire, and most that are undecided. Default: the limit of the server.',
    ),
    outParameter('topic', 1, 'uri', 'Url of the topic.'),
    outParameter('examined', 1, 'integer', "Changes of the topic's types that were looked at."),
    outParameter('fires', 1, 'integer', 'How many of them fire.'),
    outParameter('undecided', 1, 'integer', 'How many of them could not be decided.'),
    outParameter('newest', 0, 'instant', 'Time of the newest change that was looked at.'),
    outParameter('oldest', 0, 'instant', 'Time of the oldest change that was looked at.'),
    outParameter(
      'cut',
      0,
      'code',
      'changes or time: the limit at which older changes were not looked at. To go on, give oldest as to.',
    ),
    outParameter('evaluations', 1, 'decimal', 'How often a criteria was evaluated.'),
    outParameter('steps', 1, 'decimal', 'Steps of all evaluations.'),
    outParameter(
      'referencesRead',
      1,
      'decimal',
      'References that were read, as they are now and not as they were at the time.',
    ),
    outParameter('elapsedMs', 1, 'decimal', 'Time it took, in milliseconds.'),
    outParts('sample', '*', 'Those that fire, then those that are undecided; the newest first.', [
      outParameter('change', 1, 'Reference', 'The version that the change has written.'),
      outParameter('interaction', 1, 'code', 'create, update or delete.'),
      outParameter('at', 1, 'instant', 'Time of the change.'),
      outParameter('error', 0, 'string', 'Why it is undecided; absent when it fires.'),
    ]),
    outParts('error', '*', 'Why changes are undecided.', [
      outParameter('message', 1, 'string', 'What went wrong.'),
      outParameter('count', 1, 'integer', 'How often.'),
    ]),
    outcomeParameter,
  ],
})
