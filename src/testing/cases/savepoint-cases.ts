import type { CaseRun } from '../case-run.ts'
import type { CaseSpec } from './case-spec.ts'
import { expectEqual, expectRejection } from '../expect.ts'
import { expectHooks } from './commit-cases.ts'
import type { TransactionWrites } from '../host-under-test.ts'

const undone = new Error('undone by the conformance suite')

export const savepointCases: readonly CaseSpec[] = [
  {
    name: 'changes of a savepoint that is rolled back are not in the unit',
    requires: ['transactions', 'savepoints'],
    async prove(run) {
      const ids = new Ids(run)
      await run.transaction(async (writes) => {
        await ids.create('kept before', writes)
        await undo(run, writes, (inner) => ids.create('undone', inner))
        await ids.create('kept after', writes)
      })
      await ids.expectCommitted(
        ['kept before', 'kept after'],
        'ROLLBACK TO SAVEPOINT undoes the changes too: record them in unit.savepoint(), and drop that child.',
      )
    },
  },
  {
    name: 'changes of a savepoint that is released are in the unit, in their order',
    requires: ['transactions', 'savepoints'],
    async prove(run) {
      const ids = new Ids(run)
      await run.transaction(async (writes) => {
        await ids.create('before', writes)
        await run.nested(writes, (inner) => ids.create('inside', inner))
        await ids.create('after', writes)
      })
      await ids.expectCommitted(
        ['before', 'inside', 'after'],
        'RELEASE SAVEPOINT hands the changes to the transaction: call release() of the child unit.',
      )
    },
  },
  {
    name: 'a savepoint takes the released savepoints in it along when it is rolled back',
    requires: ['transactions', 'savepoints'],
    async prove(run) {
      const ids = new Ids(run)
      await run.transaction(async (writes) => {
        await undo(run, writes, async (outer) => {
          await ids.create('undone with the outer', outer)
          await run.nested(outer, (inner) => ids.create('released, then undone', inner))
        })
        await run.nested(writes, async (outer) => {
          await undo(run, outer, (inner) => ids.create('undone with the inner', inner))
          await ids.create('kept', outer)
        })
      })
      await ids.expectCommitted(
        ['kept'],
        'A child unit is released into its own parent, not into the unit of the transaction.',
      )
    },
  },
]

/** Ids of what a case writes, by its text. */
class Ids {
  readonly #run: CaseRun
  readonly #ids = new Map<string, string>()

  constructor(run: CaseRun) {
    this.#run = run
  }

  async create(text: string, writes: TransactionWrites): Promise<void> {
    this.#ids.set(text, (await this.#run.create(text, writes)).id)
  }

  async expectCommitted(texts: readonly string[], advice: string): Promise<void> {
    const textOf = new Map([...this.#ids].map(([text, id]) => [id, text]))
    expectEqual(
      this.#run.probe.committed.map(({ id }) => textOf.get(id)),
      texts,
      advice,
    )
    expectHooks(this.#run, ['beforeCommit', 'afterCommit'])
    const stored: string[] = []
    for (const [text, id] of this.#ids) if (await this.#run.isStored(id)) stored.push(text)
    expectEqual(stored, texts, 'TransactionWrites.nested must be a savepoint of the transaction.')
  }
}

async function undo(
  run: CaseRun,
  writes: TransactionWrites,
  work: (writes: TransactionWrites) => Promise<void>,
): Promise<void> {
  await expectRejection(
    run.nested(writes, async (inner) => {
      await work(inner)
      throw undone
    }),
    'TransactionWrites.nested must reject when its work rejects.',
  )
}
