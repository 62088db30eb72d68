import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import type { SqlTx } from '../../../src/host/types.ts'
import { applyOwnTypes } from '../../../src/delivery/own-types.ts'
import { foldSilentNodes } from '../../../src/outbox/cleanup.ts'
import { flushBestEffortCounters } from '../../../src/outbox/counters.ts'
import { listDestinationRows, putDestination } from '../../../src/outbox/destinations.ts'
import { parkUndecidedEvents } from '../../../src/outbox/enqueue.ts'
import {
  closeAbandonedMoves,
  closeMoves,
  dropDrainedSources,
  forgetMoves,
} from '../../../src/outbox/sources.ts'
import { addUpNotKept, countNotKept } from '../../../src/outbox/undecided-counts.ts'
import { listUndecided, removeUndecided } from '../../../src/outbox/undecided-events.ts'
import {
  addDestination,
  newEvent,
  openTransaction,
  testOutbox,
  type Outbox,
} from './outbox-fixture.ts'

interface TwoDestinations extends Outbox {
  readonly topicId: number
  readonly destinationIds: readonly number[]
  /** Makes both go to another topic. */
  readonly moveBoth: () => Promise<readonly number[]>
}

const references = ['AidboxTopicDestination/a', 'AidboxTopicDestination/b']

/** What writes rows of both destinations, after what has to be there. */
const writers: Readonly<
  Record<string, (two: TwoDestinations) => Promise<(tx: SqlTx) => Promise<unknown>>>
> = {
  'counts removed undecided events': async ({ db, schema, topicId }) => {
    const park = (): Promise<void> =>
      parkUndecidedEvents(db, schema, [{ ...newEvent(topicId, 'p'), error: 'x' }])
    const ids = async (): Promise<string[]> =>
      (await listUndecided(db, schema, 'all', '0', 10)).map(({ id }) => id)
    await park()
    // The rows of the counters are there from now on.
    await removeUndecided(db, schema, await ids(), 'discarded')
    await park()
    const left = await ids()
    return (tx) => removeUndecided(tx, schema, left, 'not_fired')
  },
  'adds up what was not kept': async ({ db, schema, topicId }) => {
    for (let n = 0; n < 2; n++) {
      if (n > 0) await addUpNotKept(db, schema)
      await countNotKept(db, schema, new Map([[topicId, 1]]))
    }
    return (tx) => addUpNotKept(tx, schema)
  },
  'writes the counters of best effort': async ({ db, schema, destinationIds }) => {
    const counts = destinationIds.map((destinationId) => ({
      ...{ destinationId, delivered: 1, lost: 0, inProcess: 0 },
    }))
    await flushBestEffortCounters(db, schema, 'node', counts)
    return (tx) => flushBestEffortCounters(tx, schema, 'node', counts)
  },
  'folds the counters of silent nodes': async ({ db, schema, pool, destinationIds }) => {
    const counts = destinationIds.map((destinationId) => ({
      ...{ destinationId, delivered: 1, lost: 0, inProcess: 0 },
    }))
    await flushBestEffortCounters(db, schema, 'node', counts)
    await pool.query(
      `update ${schema.bestEffortCounter} set seen_at = clock_timestamp() - interval '2 days'`,
    )
    return (tx) => foldSilentNodes(tx, schema)
  },
  'closes moves': async ({ schema, db, moveBoth }) => {
    const moves = await moveBoth()
    return () => closeMoves(db, schema, moves)
  },
  'closes abandoned moves': async ({ schema, db, moveBoth }) => {
    await moveBoth()
    return () => closeAbandonedMoves(db, schema, 120)
  },
  'forgets moves': async ({ schema, db, moveBoth }) => {
    await closeMoves(db, schema, await moveBoth())
    return (tx) => forgetMoves(tx, schema)
  },
  'forgets stretches': async ({ schema, db, moveBoth }) => {
    await closeMoves(db, schema, await moveBoth())
    return (tx) => dropDrainedSources(tx, schema)
  },
}

describe('a unit that deletes two destinations, the later one first', () => {
  for (const [does, prepare] of Object.entries(writers)) {
    it(`does not deadlock with whoever ${does}`, async (t) => {
      const outbox = await testOutbox(t)
      const { db, schema, pool } = outbox
      const topicUrl = 'http://example.org/topic'
      const rows = [await addDestination(outbox, 'a'), await addDestination(outbox, 'b')]
      const write = await prepare({
        ...outbox,
        topicId: rows[0]?.topicId ?? 0,
        destinationIds: rows.map(({ destinationId }) => destinationId),
        moveBoth: async () => {
          const moves: number[] = []
          for (const reference of references) {
            const to = { reference, topicUrl: `${topicUrl}/other` }
            moves.push(
              (await putDestination(db, schema, { ...to, kind: 'kafka-at-least-once' })) ?? 0,
            )
          }
          return moves
        },
      })
      const deleting = await openTransaction(pool)
      let written: Promise<unknown> | undefined
      let deletions = 0
      const tx: SqlTx = {
        async query(text, values) {
          // Between the two: it has rows of the one, and will want rows of the other.
          if (text.startsWith('delete') && ++deletions === 2) {
            written = write(db)
            await untilBlocked(outbox, written)
          }
          return deleting.tx.query(text, values)
        },
      }
      const changes = references.toReversed().map((reference) => ({
        interaction: 'delete' as const,
        resourceType: 'AidboxTopicDestination',
        id: reference.split('/')[1] ?? '',
      }))
      await applyOwnTypes(changes, tx, schema, { topicByUrl: () => undefined })
      await deleting.commit()
      assert.ok(written, 'nothing was written in between')
      await written
      assert.deepEqual(await listDestinationRows(db, schema), [])
    })
  }
})

/** Somebody waits for a lock, or there is nobody who could. */
async function untilBlocked({ pool }: Outbox, work: Promise<unknown>): Promise<void> {
  const ended = work.then(
    () => true,
    () => true,
  )
  for (;;) {
    const { rows } = await pool.query('select from pg_locks where not granted')
    const isEnded = await Promise.race([ended, Promise.resolve(false)])
    if (rows.length > 0 || isEnded) return
  }
}
