import type { OutboxSchema } from './schema.ts'
import { isOfTimeAndError } from './selection-condition.ts'
import { countedQueues } from './undecided-counts.ts'

/** Which undecided events are meant. `ids` are those that a list shows; what is not there (any more) is passed over. Those of a destination are
 *  those that `$status` counts for it. */
export type UndecidedSelection =
  | 'all'
  | { readonly topicUrl: string }
  | { readonly ids: readonly string[] }
  | UndecidedOfDestination

/** Narrowed by the time of the change, inclusive, and by a part of the error, in letters of any case. */
export interface UndecidedOfDestination {
  /** `AidboxTopicDestination/<id>` */
  readonly reference: string
  readonly from?: Date
  readonly to?: Date
  readonly error?: string
}

/** SQL condition on the event `u`, and the value of its `$1`. */
export function selected(
  schema: OutboxSchema,
  selection: UndecidedSelection,
): { condition: string; value: unknown } {
  if (selection === 'all') return { condition: '$1::text is null', value: null }
  if ('ids' in selection) {
    const ids = selection.ids.filter((id) => /^\d{1,18}$/.test(id))
    return { condition: 'u.id = any ($1::bigint[])', value: ids }
  }
  if ('reference' in selection) return ofDestination(schema, selection)
  const topics = `select id from ${schema.topic} where url = $1::text`
  return { condition: `u.topic_id in (${topics})`, value: selection.topicUrl }
}

function ofDestination(
  schema: OutboxSchema,
  { reference, from, to, error }: UndecidedOfDestination,
): { condition: string; value: unknown } {
  const id = `(select id from ${schema.destination} where reference = ($1::jsonb->>'reference'))`
  return {
    condition: `u.topic_id in (select q.topic_id from (${countedQueues(schema, `s.destination_id = ${id}`)}) q)
      and ${isOfTimeAndError('u', '$1')}`,
    value: JSON.stringify({ reference, fromMs: from?.getTime(), toMs: to?.getTime(), error }),
  }
}
