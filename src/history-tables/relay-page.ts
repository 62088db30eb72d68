import type { PoolClient } from 'pg'
import { fromPg } from '../host/sql-tx.ts'
import type { Change } from '../host/types.ts'
import type { UnitOfWork } from '../host/unit-of-work.ts'
import type { EventCursor, Page } from '../outbox/event-cursor.ts'
import { toChange } from './captured-change.ts'

/** Moves a page of captured changes to the outbox: what they match is enqueued and they are acknowledged in one transaction, so that a
 *  crash leaves either both or neither.
 *
 *  **The acknowledgement comes first.** It dates transactions for {@link EventCursor}: it reads the last drawn id, then gets its
 *  transaction number. In a transaction that has written before, the number is older than the reading:
 *
 *      relay   enqueue, gets number 100 ............ acknowledge: reads last id 7
 *      writer            gets number 101, draws id 7 ............................. commit
 *
 *  "Numbers above 100 draw ids above 7" is wrong then, and the writer's change would be lost.
 *
 *  `client` is the one that the cursor was loaded with, outside of a transaction; `unit` is a new one. After an error both are spent.
 *  @returns the number of changes that were moved. 0: the first one is no JSON and was set aside. */
export async function relayPage(
  client: PoolClient,
  cursor: EventCursor,
  page: Page,
  unit: UnitOfWork,
): Promise<number> {
  const changes = leadingChanges(page)
  if (changes.length === 0) {
    await cursor.deadLetter(page, 0, 'The stored content is not JSON.')
    return 0
  }
  for (const change of changes) unit.record(change)
  try {
    await client.query('begin isolation level read committed')
    await cursor.acknowledge(page, changes.length)
    await unit.beforeCommit(fromPg(client))
    await client.query('commit')
  } catch (error) {
    await client.query('rollback').catch(() => undefined)
    unit.afterRollback()
    throw error
  }
  await unit.afterCommit()
  return changes.length
}

/** The changes in front of the first one that is no JSON. */
function leadingChanges(page: Page): Change[] {
  const changes: Change[] = []
  for (const event of page.events) {
    const change = toChange(event)
    if (!change) break
    changes.push(change)
  }
  return changes
}
