import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import type { Stage } from '../../../chaos/faults.ts'
import { Schedule, type NamedKind } from '../../../chaos/schedule.ts'

const stage = { nodes: { count: 2 } } as Stage

/** What the first twenty faults were and what they drew. */
async function struck(seed: number): Promise<readonly string[]> {
  const ending = new AbortController()
  const faults: string[] = []
  const kindOf = (name: string, weight: number): NamedKind => ({
    name,
    kind: {
      target: 'kafka',
      weight,
      strike: (_stage, random) => {
        if (faults.push(`${name} ${random()}`) === 20) ending.abort()
        return Promise.resolve()
      },
    },
  })
  const kinds = [kindOf('often', 5), kindOf('seldom', 1)]
  await new Schedule(stage, { seed, intervalMs: 0, kinds }).run(ending.signal)
  return faults
}

describe('Schedule', () => {
  it('strikes the same for the same seed', async () => {
    assert.deepEqual(await struck(1), await struck(1))
    assert.notDeepEqual(await struck(1), await struck(2))
  })

  it('strikes by weight', async () => {
    const often = (await struck(1)).filter((fault) => fault.startsWith('often'))
    assert.ok(often.length > 10 && often.length < 20, `${often.length} of 20`)
  })

  it('says which fault could not be healed', async () => {
    const strike = () => Promise.reject(new Error('it stays down'))
    const kinds = [{ name: 'fault', kind: { target: 'kafka', weight: 1, strike } }] as const
    const schedule = new Schedule(stage, { seed: 1, intervalMs: 0, kinds })
    await assert.rejects(schedule.run(new AbortController().signal), /it stays down/)
  })

  it('lets faults of one target follow one another', async () => {
    const ending = new AbortController()
    let running = 0
    let most = 0
    let count = 0
    const strike = async (): Promise<void> => {
      most = Math.max(most, ++running)
      await new Promise((resolve) => setImmediate(resolve))
      running--
      if (++count === 10) ending.abort()
    }
    const kinds = [{ name: 'fault', kind: { target: 'kafka', weight: 1, strike } }] as const
    await new Schedule(stage, { seed: 1, intervalMs: 0, kinds }).run(ending.signal)
    assert.equal(most, 1)
  })
})
