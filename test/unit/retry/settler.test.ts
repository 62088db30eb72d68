import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { KafkaFailure } from '../../../src/kafka/kafka-error.ts'
import type { Outcome } from '../../../src/retry/partition-work.ts'
import { Settler, type PartitionOwner, type SettlingProducer } from '../../../src/retry/settler.ts'
import type { Step } from '../../../src/retry/step-producer.ts'

type Answer = 'commits' | 'refuses' | 'commits, and does not say' | 'loses, and does not say'

/** A cluster that answers commits in this way, then commits. */
function cluster(answers: Answer[]) {
  const state = {
    committed: 0,
    written: new Array<string>(),
    producers: 0,
    commits: new Array<number>(),
  }
  const owner: PartitionOwner = {
    committed: () => Promise.resolve(state.committed),
    // It is only handed on.
    handle: {} as PartitionOwner['handle'],
  }
  const newProducer = (): SettlingProducer => {
    state.producers++
    const producer = {
      isDead: false,
      start: () => Promise.resolve(),
      partitionsOf: () => Promise.resolve(1),
      giveUp: () => undefined,
      close: () => Promise.resolve(),
      commit: ({ records, offset }: Step) => {
        const answer = answers.shift() ?? 'commits'
        state.commits.push(records.length)
        if (answer === 'refuses') return Promise.reject(new KafkaFailure('retriable', 'refused'))
        if (answer.startsWith('commits')) {
          state.written.push(...records.map(({ value }) => String(value)))
          state.committed = offset?.place.offset ?? 0
        }
        if (answer === 'commits') return Promise.resolve()
        producer.isDead = true
        return Promise.reject(new KafkaFailure('fatal', 'unknown'))
      },
    }
    return producer
  }
  return { state, owner, newProducer }
}

async function settled(answers: Answer[], count: number) {
  const { state, owner, newProducer } = cluster(answers)
  const settler = new Settler({
    newProducer,
    onTrouble: () => undefined,
    onProducer: () => Promise.resolve(),
    random: () => 0,
  })
  const outcomes = Array.from({ length: count }, (_, offset): Outcome => ({
    offset,
    records: [{ topic: 'out', value: String(offset) }],
    settled: () => undefined,
  }))
  let told = 0
  const place = { topic: 't', partition: 0 }
  const { signal } = new AbortController()
  await settler.settle(owner, place, outcomes, signal, (some) => (told += some))
  assert.equal(told, count)
  assert.deepEqual(
    state.written,
    outcomes.map(({ offset }) => String(offset)),
  )
  return state
}

describe('Settler', () => {
  it('commits all at once', async () => {
    assert.deepEqual((await settled([], 3)).commits, [3])
  })

  it('does not write again what was committed without an answer', async () => {
    const { commits, producers } = await settled(['commits, and does not say'], 3)
    assert.deepEqual([commits, producers], [[3], 2])
  })

  it('writes again what was lost without an answer', async () => {
    const answers: Answer[] = ['loses, and does not say', 'commits, and does not say']
    assert.deepEqual((await settled(answers, 3)).commits, [3, 3])
  })

  it('makes a step that was refused smaller, and larger again', async () => {
    assert.deepEqual((await settled(['refuses', 'refuses'], 5)).commits, [5, 1, 1, 2, 2])
  })

  it('tells what was committed while it was called off', async () => {
    const { owner, newProducer, state } = cluster([])
    const calledOff = new AbortController()
    const settler = new Settler({
      newProducer: () => {
        const producer = newProducer()
        const commit = producer.commit.bind(producer)
        return Object.assign(producer, {
          commit: (step: Step) => {
            calledOff.abort()
            return commit(step)
          },
        })
      },
      onTrouble: () => undefined,
      onProducer: () => Promise.resolve(),
      random: Math.random,
    })
    const outcome = { offset: 0, records: [], settled: () => undefined }
    let told = 0
    const place = { topic: 't', partition: 0 }
    await settler.settle(owner, place, [outcome], calledOff.signal, (some) => (told += some))
    assert.deepEqual([told, state.committed], [1, 1])
  })

  it('settles nothing when it is called off', async () => {
    const { owner, newProducer, state } = cluster([])
    const parts = {
      onTrouble: () => undefined,
      onProducer: () => Promise.resolve(),
      random: Math.random,
    }
    const settler = new Settler({ newProducer, ...parts })
    const outcome = { offset: 0, records: [], settled: () => undefined }
    const place = { topic: 't', partition: 0 }
    await settler.settle(owner, place, [outcome], AbortSignal.abort(), () => {
      assert.fail('nothing was settled')
    })
    assert.deepEqual(state.commits, [])
  })
})
