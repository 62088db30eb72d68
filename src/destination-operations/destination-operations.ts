import { allOk } from '@medplum/core'
import type { OperationDefinition, ParametersParameter } from '@medplum/fhirtypes'
import type { Registry } from '../delivery/registry.ts'
import type { UndecidedEvents } from '../delivery/undecided-queue.ts'
import type { FhirHost, Operation, Principal, SqlTx } from '../host/types.ts'
import type { ResolvedOptions } from '../options.ts'
import type { DestinationRow } from '../outbox/destination-row.ts'
import type { OutboxSchema } from '../outbox/schema.ts'
import {
  backfillOperationDefinition,
  cancelOperationDefinition,
  deadLettersOperationDefinition,
  discardOperationDefinition,
  redriveOperationDefinition,
  replayOperationDefinition,
} from '../resources/delivery-operation-definitions.ts'
import { destinationTypeName } from '../resources/type-names.ts'
import { inputNames, OperationInput } from '../topic-operations/operation-input.ts'
import { askedDestination } from './asked-destination.ts'
import { backfill, cancel, replay } from './resend-operations.ts'
import { listSetAside } from './set-aside-list.ts'
import { discard, redrive } from './set-aside-operations.ts'

export interface DestinationOperationParts {
  readonly host: Pick<FhirHost, 'authorize' | 'references'>
  readonly db: SqlTx
  readonly inTransaction: <Result>(work: (tx: SqlTx) => Promise<Result>) => Promise<Result>
  readonly schema: OutboxSchema
  readonly registry: Pick<
    Registry,
    'destinations' | 'ensureFresh' | 'topicByUrl' | 'asksForPrevious'
  >
  readonly undecided: Pick<UndecidedEvents, 'list' | 'decide' | 'release' | 'discard'>
  readonly options: Pick<ResolvedOptions, 'jobMaxPerSecond' | 'deliveredRetentionMs'>
  /** There may be a new job, or one less. */
  readonly lookForJobs: () => void
}

/** What an operation is called with, by one who may. */
export interface AskedOperation {
  /** The destination it is called on: one of at least once. */
  readonly row: DestinationRow
  readonly input: OperationInput
  readonly principal: Principal | undefined
}

/** Does what is asked.
 *  @returns the parameters of the answer */
type Answer = (
  parts: DestinationOperationParts,
  asked: AskedOperation,
) => Promise<ParametersParameter[]>

const answers: readonly (readonly [OperationDefinition, Answer])[] = [
  [redriveOperationDefinition, redrive],
  [discardOperationDefinition, discard],
  [replayOperationDefinition, replay],
  [backfillOperationDefinition, backfill],
  [cancelOperationDefinition, cancel],
  [deadLettersOperationDefinition, listSetAside],
]

/** What an operator can have done for an at-least-once destination: `POST AidboxTopicDestination/<id>/$redrive`, `$discard`, `$replay`,
 *  `$backfill`, `$cancel`, and what there is to be sent or discarded, `$dead-letters`.
 *
 *  Whoever may write a destination could delete it and create it anew, so the right to write is what it takes to change something. */
export function destinationOperations(parts: DestinationOperationParts): readonly Operation[] {
  return answers.map(([definition, answer]): Operation => {
    const { code, affectsState = false } = definition
    const names = inputNames(definition)
    return {
      code,
      resourceType: destinationTypeName,
      level: 'instance',
      methods: affectsState ? ['POST'] : ['GET', 'POST'],
      definition,
      async handle(request) {
        const row = await askedDestination(parts, request, [
          code,
          ...(affectsState ? ['update'] : []),
        ])
        const input = new OperationInput(request.input, names)
        const parameter = await answer(parts, { row, input, principal: request.principal })
        return { outcome: allOk, resource: { resourceType: 'Parameters', parameter } }
      },
    }
  })
}
