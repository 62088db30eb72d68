import type { Registry } from '../delivery/registry.ts'
import type { UndecidedEvents } from '../delivery/undecided-queue.ts'
import type { FhirHost, Operation, SqlTx } from '../host/types.ts'
import type { ResolvedOptions } from '../options.ts'
import type { OutboxSchema } from '../outbox/schema.ts'
import { resendOperations } from './resend-operations.ts'
import { setAsideOperations } from './set-aside-operations.ts'

export interface DestinationOperationParts {
  readonly host: Pick<FhirHost, 'authorize' | 'references'>
  readonly db: SqlTx
  readonly inTransaction: <Result>(work: (tx: SqlTx) => Promise<Result>) => Promise<Result>
  readonly schema: OutboxSchema
  readonly registry: Pick<Registry, 'destinations' | 'ensureFresh'>
  readonly undecided: Pick<UndecidedEvents, 'decide' | 'release' | 'discard'>
  readonly options: Pick<ResolvedOptions, 'jobMaxPerSecond' | 'deliveredRetentionMs'>
  /** There may be a new job, or one less. */
  readonly lookForJobs: () => void
}

/** What an operator can have done for an at-least-once destination: `POST AidboxTopicDestination/<id>/$redrive`, `$discard`, `$replay`,
 *  `$backfill`, `$cancel`. */
export function destinationOperations(parts: DestinationOperationParts): readonly Operation[] {
  return [...setAsideOperations(parts), ...resendOperations(parts)]
}
