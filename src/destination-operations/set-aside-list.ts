import type { ParametersParameter } from '@medplum/fhirtypes'
import { listDeadLetters } from '../outbox/dead-letter-list.ts'
import type { DestinationRow } from '../outbox/destination-row.ts'
import type { ListedChange } from '../outbox/event-page.ts'
import { refusedParameter, type OperationInput } from '../topic-operations/operation-input.ts'
import { optional } from '../topic-operations/output.ts'
import type { AskedOperation, DestinationOperationParts } from './destination-operations.ts'
import { narrowedBy, undecidedOf } from './selection-input.ts'

const maxCount = 500
const defaultCount = 50

/** `$dead-letters`: a page of dead letters or of undecided events, without content. */
export async function listSetAside(
  parts: DestinationOperationParts,
  { row, input }: AskedOperation,
): Promise<ParametersParameter[]> {
  const of = input.code('of', ['dead-letters', 'undecided']) ?? 'dead-letters'
  const limit = input.integer('count', 1, maxCount) ?? defaultCount
  const page = { after: afterOf(input), limit }
  const list = of === 'undecided' ? undecidedEvents : deadLetters
  const found = await list(parts, row, input, page)
  const last = found.length < limit ? undefined : found.at(-1)
  return [
    // What it had before from others is none of its business any more, as where it is sent again.
    ...found
      .filter(({ organization }) => ['', organization].includes(row.organization))
      .map(({ part }): ParametersParameter => ({ name: 'event', part })),
    ...optional('next', 'valueString', last?.name),
  ]
}

interface Page {
  /** Name of the last event of the page before. */
  readonly after: string | undefined
  readonly limit: number
}

interface Listed {
  readonly name: string
  readonly organization: string
  readonly part: ParametersParameter[]
}

async function deadLetters(
  { db, schema }: DestinationOperationParts,
  { reference }: DestinationRow,
  input: OperationInput,
  { after, limit }: Page,
): Promise<readonly Listed[]> {
  const selection = narrowedBy(input, ['error'])
  const beforeEvent = after === undefined ? undefined : Number(after)
  const letters = await listDeadLetters(db, schema, reference, { beforeEvent, limit, selection })
  return letters.map((letter) => ({
    name: String(letter.eventNumber),
    organization: letter.organization,
    part: [
      { name: 'eventNumber', valueDecimal: letter.eventNumber },
      ...changeParts(letter),
      { name: 'failedTimestamp', valueDateTime: letter.failedAt.toISOString() },
      { name: 'error', valueString: letter.error },
    ],
  }))
}

async function undecidedEvents(
  { undecided }: DestinationOperationParts,
  row: DestinationRow,
  input: OperationInput,
  { after, limit }: Page,
): Promise<readonly Listed[]> {
  const selection = undecidedOf(row, narrowedBy(input, ['error']))
  if (!selection) return []
  const page = { selection, limit, ...(after !== undefined && { afterId: after }) }
  return (await undecided.list(page)).map((event) => ({
    name: event.id,
    organization: event.organization,
    part: [
      { name: 'id', valueString: event.id },
      ...changeParts(event),
      { name: 'attempts', valueInteger: event.attempts },
      ...optional('nextAttemptTimestamp', 'valueDateTime', event.nextAttemptAt?.toISOString()),
      { name: 'error', valueString: event.error },
    ],
  }))
}

interface NamedChange extends ListedChange {
  readonly topicUrl: string
  readonly correlationId: string | undefined
}

function changeParts(change: NamedChange): ParametersParameter[] {
  const { topicUrl, interaction, resourceType, resourceId, versionId, at, correlationId } = change
  const version = versionId === undefined ? '' : `/_history/${versionId}`
  return [
    { name: 'topicUrl', valueUri: topicUrl },
    { name: 'interaction', valueCode: interaction },
    {
      name: 'focus',
      valueReference: { reference: `${resourceType}/${resourceId}${version}` },
    },
    { name: 'time', valueDateTime: at.toISOString() },
    ...optional('correlationId', 'valueString', correlationId),
  ]
}

function afterOf(input: OperationInput): string | undefined {
  const after = input.text('after')
  if (after === undefined || /^\d{1,15}$/.test(after)) return after
  throw refusedParameter('after', 'value', 'Write after as next of the page before.')
}
