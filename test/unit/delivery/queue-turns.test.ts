import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { QueueTurns } from '../../../src/delivery/queue-turns.ts'

/** Turns whose work ends when the test says so. */
function turnsOf(maxAtOnce: number) {
  const started: number[] = []
  const errors: unknown[] = []
  let rooms = 0
  const ends = new Map<number, (end: boolean | Error) => void>()
  const turns = new QueueTurns({
    maxAtOnce,
    onError: (error) => errors.push(error),
    onRoom: () => rooms++,
  })
  return {
    turns,
    started,
    errors,
    rooms: () => rooms,
    start: (...topicIds: readonly number[]): void => {
      turns.start(
        topicIds.map((topicId) => ({ topicId })),
        ({ topicId }) => {
          started.push(topicId)
          return new Promise((resolve, reject) => {
            ends.set(topicId, (end) => {
              if (end instanceof Error) reject(end)
              else resolve(end)
            })
          })
        },
      )
    },
    end: async (topicId: number, end: boolean | Error = true): Promise<void> => {
      ends.get(topicId)?.(end)
      for (let turn = 0; turn < 5; turn++) await Promise.resolve()
    },
  }
}

describe('QueueTurns', () => {
  it('starts each queue once, whatever the others do, and again when it has ended', async () => {
    const { start, end, started } = turnsOf(4)
    start(1, 2)
    start(1, 2, 3)
    assert.deepEqual(started, [1, 2, 3])
    await end(2)
    start(1, 2, 3)
    assert.deepEqual(started, [1, 2, 3, 2])
  })

  it('starts no more than there is room for, asks for more when there is room, and lets each have its turn', async () => {
    const { start, end, started, rooms } = turnsOf(2)
    start(5, 3, 1, 4)
    assert.deepEqual(started, [1, 3])
    await end(1)
    assert.equal(rooms(), 1)
    start(1, 3, 4, 5)
    await end(4)
    start(1, 3, 4, 5)
    await end(5)
    start(1, 3, 4, 5)
    assert.deepEqual(started, [1, 3, 4, 5, 1])
    await end(1)
    start(4)
    await end(4)
    assert.equal(rooms(), 4, 'nobody waits for the last')
  })

  it('does not ask again at once when there was nothing to do or it failed', async () => {
    const { start, end, errors, rooms, turns } = turnsOf(1)
    start(1, 2)
    await end(1, false)
    assert.equal(rooms(), 0)
    const error = new Error('no connection')
    start(1, 2)
    await end(2, error)
    assert.deepEqual([rooms(), errors], [0, [error]])
    await turns.ended()
  })

  it('ends when all turns have ended', async () => {
    const { start, end, turns } = turnsOf(2)
    start(1, 2)
    let isEnded = false
    const ended = turns.ended().then(() => (isEnded = true))
    await end(1)
    assert.equal(isEnded, false)
    await end(2)
    await ended
  })
})
