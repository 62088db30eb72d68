import { changeFromJson } from '../host/stored-change.ts'
import type { Change } from '../host/types.ts'
import type { OutboxEvent } from '../outbox/event-cursor.ts'
import { recordSeparator } from './capture-sql.ts'

/** A captured row as the change it is; undefined when the server has stored something that is not JSON. */
export function toChange(event: OutboxEvent): Change | undefined {
  const [currentJson = '', previousJson = ''] = (event.body ?? '').split(recordSeparator)
  return changeFromJson(event, currentJson, previousJson)
}
