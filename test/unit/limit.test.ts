import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { setImmediate as nextTurn } from 'node:timers/promises'
import { Limit } from '../../src/limit.ts'

describe('Limit', () => {
  it('lets so many go on at a time, in order, also after a failure and where one that waits is abandoned', async () => {
    const limit = new Limit(2)
    const begun: string[] = []
    const ends = new Map<string, (error?: Error) => void>()
    const never = new AbortController().signal
    const run = async (name: string, abandoned = never): Promise<void> =>
      limit.run(async () => {
        begun.push(name)
        await new Promise<void>((resolve, reject) => {
          ends.set(name, (error) => {
            if (error) reject(error)
            else resolve()
          })
        })
      }, abandoned)
    const leaving = new AbortController()
    const a = assert.rejects(run('a'), /no/)
    const others = [run('b')]
    const c = assert.rejects(run('c', leaving.signal), /left/)
    others.push(run('d'), run('e'))
    leaving.abort(new Error('left'))
    await assert.rejects(run('late', leaving.signal), /left/)
    await c
    assert.deepEqual(begun, ['a', 'b'])
    ends.get('a')?.(new Error('no'))
    await a
    await nextTurn()
    assert.deepEqual(begun, ['a', 'b', 'd'])
    ends.get('b')?.()
    await nextTurn()
    assert.deepEqual(begun, ['a', 'b', 'd', 'e'])
    for (const name of ['d', 'e']) ends.get(name)?.()
    await Promise.all(others)
    const last = run('f')
    await nextTurn()
    assert.equal(begun.at(-1), 'f')
    ends.get('f')?.()
    await last
  })

  it('lets what is urgent go before what is not', async () => {
    const limit = new Limit(1)
    const begun: string[] = []
    const never = new AbortController().signal
    const run = async (name: string, isUrgent: boolean): Promise<void> =>
      limit.run(
        async () => {
          begun.push(name)
          await nextTurn()
        },
        never,
        isUrgent,
      )
    await Promise.all([run('a', false), run('b', false), run('c', true), run('d', true)])
    assert.deepEqual(begun, ['a', 'c', 'd', 'b'])
  })
})
