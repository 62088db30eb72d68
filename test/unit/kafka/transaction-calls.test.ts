import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { CauseReporter } from '../../../src/kafka/cause-reporter.ts'
import { kafkaCodes, type KafkaFailure } from '../../../src/kafka/kafka-error.ts'
import { NativeFailure, nativeFailure } from '../../../src/kafka/native-failure.ts'
import { toProducerConfig } from '../../../src/kafka/producer-config.ts'
import type { CheckpointConsumer } from '../../../src/kafka/rdkafka-checkpoint.ts'
import { TransactionCalls, type TransactionClient } from '../../../src/kafka/transaction-calls.ts'

const config = toProducerConfig(
  { kafkaTopic: 't', bootstrapServers: 'b:9092' },
  'at-least-once',
  'id',
)
const slow = new NativeFailure({
  code: kafkaCodes.timedOut,
  text: 'slow',
  isFatal: false,
  isRetriable: true,
  requiresAbort: false,
})

/** Never has its turn; `waits` is called when it begins to wait. */
async function neverItsTurn(givenUp: AbortSignal, waits: () => void): Promise<void> {
  return new Promise((_resolve, reject) => {
    givenUp.addEventListener('abort', () => {
      reject(givenUp.reason as Error)
    })
    waits()
  })
}

describe('TransactionCalls', () => {
  /** What is said of a commit that is given up while it waits for its turn.
   *  @param slices that were begun before */
  async function saidOfCommit(slices: number): Promise<string> {
    const calls = new TransactionCalls(config, new CauseReporter(() => undefined))
    let begun = 0
    calls.use({
      transaction: async (_name, _timeoutMs, givenUp) => {
        if (begun++ < slices) throw slow
        return neverItsTurn(givenUp, () => {
          calls.giveUpAt(performance.now())
        })
      },
      sendOffset: () => assert.fail(),
    })
    try {
      await calls.run('commitTransaction', 60_000)
      assert.fail()
    } catch (error) {
      const outcome = 'Whether the transaction was committed is unknown.'
      return calls.failureOf('commitTransaction', nativeFailure(error), outcome).message
    } finally {
      calls.end()
    }
  }

  it('says that nothing was committed by a commit that never began', async () => {
    assert.equal(
      await saidOfCommit(0),
      'The producer was closed before commitTransaction had its turn. Nothing of the transaction was committed.',
    )
    assert.match(await saidOfCommit(1), /Timeout expired .*committed is unknown\.$/)
  })

  it('gives a checkpoint up that has no turn for ten seconds: readers wait for the transaction', async (t) => {
    t.mock.timers.enable({ apis: ['setTimeout'] })
    const calls = new TransactionCalls(config, new CauseReporter(() => undefined))
    const client: TransactionClient = {
      transaction: () => assert.fail(),
      sendOffset: async (_place, _consumer, _timeoutMs, givenUp) =>
        neverItsTurn(givenUp, () => {
          t.mock.timers.tick(10_000)
        }),
    }
    calls.use(client)
    // Only the client would look at it.
    const consumer = {} as CheckpointConsumer
    await assert.rejects(calls.sendCheckpoint(consumer, 1, 60_000), { code: kafkaCodes.timedOut })
  })

  it('leaves a producer to itself whose checkpoint does not end, and no other', async (t) => {
    t.mock.timers.enable({ apis: ['setTimeout'] })
    const calls = new TransactionCalls(config, new CauseReporter(() => undefined))
    const begun: (() => void)[] = []
    calls.use({
      transaction: () => assert.fail(),
      sendOffset: () => new Promise<void>((resolve) => begun.push(resolve)),
    })
    const consumer = {} as CheckpointConsumer
    const late = calls.sendCheckpoint(consumer, 1, 60_000)
    t.mock.timers.tick(19_999)
    begun.shift()?.()
    await late
    t.mock.timers.tick(20_000)
    assert.equal(calls.abandoned.aborted, false)
    void calls.sendCheckpoint(consumer, 2, 60_000)
    t.mock.timers.tick(20_000)
    assert.equal((calls.abandoned.reason as KafkaFailure).kind, 'fatal')
  })
})
