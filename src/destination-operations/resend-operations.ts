import { allOk, OperationOutcomeError } from '@medplum/core'
import type { Parameters } from '@medplum/fhirtypes'
import type { Operation, OperationRequest } from '../host/types.ts'
import { deliveredExtent } from '../outbox/delivered-pages.ts'
import { cancelJobs } from '../outbox/jobs.ts'
import { sendableTopics } from '../outbox/sendable-topics.ts'
import {
  backfillOperationDefinition,
  cancelOperationDefinition,
  replayOperationDefinition,
} from '../resources/delivery-operation-definitions.ts'
import { refusal } from '../resources/issue.ts'
import { destinationTypeName } from '../resources/type-names.ts'
import { notImplemented } from '../rest/outcomes.ts'
import {
  inputNames,
  OperationInput,
  refusedParameter,
  unprocessable,
} from '../topic-operations/operation-input.ts'
import { askedDestination, beginJob, maxPerSecondOf } from './asked-destination.ts'
import type { DestinationOperationParts } from './destination-operations.ts'
import { jobParameter } from './job-parameter.ts'
import { selectionOf } from './selection-input.ts'

/** `$replay`, `$backfill` and `$cancel`. */
export function resendOperations(parts: DestinationOperationParts): readonly Operation[] {
  const common = {
    resourceType: destinationTypeName,
    level: 'instance',
    methods: ['POST'],
  } as const
  return [
    {
      code: 'replay',
      ...common,
      definition: replayOperationDefinition,
      handle: async (request) => ({ outcome: allOk, resource: await replay(parts, request) }),
    },
    {
      code: 'backfill',
      ...common,
      definition: backfillOperationDefinition,
      handle: async (request) => ({ outcome: allOk, resource: await backfill(parts, request) }),
    },
    {
      code: 'cancel',
      ...common,
      definition: cancelOperationDefinition,
      handle: async (request) => ({ outcome: allOk, resource: await cancel(parts, request) }),
    },
  ]
}

const replayNames = inputNames(replayOperationDefinition)
const backfillNames = inputNames(backfillOperationDefinition)
const cancelNames = inputNames(cancelOperationDefinition)

async function replay(
  parts: DestinationOperationParts,
  request: OperationRequest,
): Promise<Parameters> {
  const { destinationId } = await askedDestination(parts, request, 'replay')
  const input = new OperationInput(request.input, replayNames)
  const selection = selectionOf(input, ['fromEvent', 'toEvent', 'from', 'to'])
  const maxPerSecond = maxPerSecondOf(input, parts)
  const { db, schema, options } = parts
  const extent = await deliveredExtent(db, schema, destinationId, {
    ...selection,
    topicIds: [...(await sendableTopics(db, schema, destinationId)).keys()],
    fromEvent: selection.fromEvent ?? 1,
    toEvent: selection.toEvent ?? Number.MAX_SAFE_INTEGER,
  })
  if (!extent) {
    const text =
      options.deliveredRetentionMs === 0
        ? 'This server does not keep what it has delivered; its option deliveredRetentionMs would. $backfill sends the current state.'
        : 'No delivered event of this range is kept.'
    const code = options.deliveredRetentionMs === 0 ? 'not-supported' : 'not-found'
    throw unprocessable(refusal(code, text, 'Parameters.parameter'))
  }
  const { count, firstEvent, lastEvent } = extent
  const job = await beginJob(parts, {
    destinationId,
    kind: 'replay',
    // What is delivered from now on is not meant.
    selection: { ...selection, fromEvent: firstEvent, toEvent: lastEvent },
    maxPerSecond,
    position: String(firstEvent - 1),
    total: count,
  })
  return {
    resourceType: 'Parameters',
    parameter: [
      { name: 'firstEvent', valueDecimal: firstEvent },
      { name: 'lastEvent', valueDecimal: lastEvent },
      jobParameter(job),
    ],
  }
}

async function backfill(
  parts: DestinationOperationParts,
  request: OperationRequest,
): Promise<Parameters> {
  const { destinationId, topicUrl } = await askedDestination(parts, request, 'backfill')
  const input = new OperationInput(request.input, backfillNames)
  const maxPerSecond = maxPerSecondOf(input, parts)
  if (!parts.host.references) {
    const text = 'This server cannot list its resources, which a backfill would read.'
    throw new OperationOutcomeError(notImplemented(text))
  }
  const job = await beginJob(parts, {
    destinationId,
    kind: 'backfill',
    selection: { topicUrl },
    maxPerSecond,
    position: '',
    total: undefined,
  })
  return { resourceType: 'Parameters', parameter: [jobParameter(job)] }
}

async function cancel(
  parts: DestinationOperationParts,
  request: OperationRequest,
): Promise<Parameters> {
  const { destinationId } = await askedDestination(parts, request, 'cancel')
  const input = new OperationInput(request.input, cancelNames)
  const id = input.integer('job', 1, Number.MAX_SAFE_INTEGER)
  const { db, schema, lookForJobs } = parts
  const ended = await cancelJobs(db, schema, destinationId, id === undefined ? id : String(id))
  lookForJobs()
  if (id !== undefined && ended.length === 0) {
    const text = `No job ${id} of this destination is running; $status shows the newest ones.`
    throw refusedParameter('job', 'not-found', text)
  }
  return { resourceType: 'Parameters', parameter: ended.map(jobParameter) }
}
