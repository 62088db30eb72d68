import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { setImmediate as nextTurn } from 'node:timers/promises'
import { blockingCalls } from '../../../src/kafka/blocking-calls.ts'
import { causeOnTheWay } from '../../../src/kafka/preflight/broker-network.ts'
import { toProducerConfig } from '../../../src/kafka/producer-config.ts'

const config = toProducerConfig({ kafkaTopic: 't', bootstrapServers: 'b:9092' }, 'best-effort')

describe('causeOnTheWay', () => {
  it('looks no name up any more when it is called off before its turn', async () => {
    let end: () => void = () => undefined
    const ended = new Promise<void>((resolve) => {
      end = resolve
    })
    const before = blockingCalls.run('lookup', 'before', () => ended)
    const over = new AbortController()
    const looking = causeOnTheWay('nosuch.invalid:9092', config, over.signal)
    await nextTurn()
    const rejection = assert.rejects(looking, /over/)
    over.abort(new Error('over'))
    await rejection
    end()
    await before
  })
})
