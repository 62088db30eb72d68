import assert from 'node:assert/strict'
import { once } from 'node:events'
import { describe, it } from 'node:test'
import type { Attempt } from '../../../src/retry/attempt.ts'
import { consumeRecords, newTopic, privateKafka } from '../../helpers/kafka.ts'
import { retrySetting, startConsumer, write } from './setting.ts'

const policy = '{ attempts: 1, delays: [50ms], then: deadLetter }'

/** A handler that hangs until it is released. */
class Hanging {
  readonly begun: Attempt[] = []
  readonly #looks = new Set<() => void>()
  release: () => void = () => undefined
  readonly #released = new Promise<void>((resolve) => {
    this.release = resolve
  })

  readonly handler = async (_record: unknown, attempt: Attempt): Promise<void> => {
    this.begun.push(attempt)
    for (const look of this.#looks) look()
    await this.#released
  }

  async until(count: number): Promise<void> {
    await new Promise<void>((resolve) => {
      const look = (): void => {
        if (this.begun.length >= count) resolve()
      }
      this.#looks.add(look)
      look()
    })
  }
}

async function aborted(signals: readonly AbortSignal[]): Promise<void> {
  await Promise.race(
    signals.map(async (signal) => {
      if (!signal.aborted) await once(signal, 'abort')
    }),
  )
}

describe('retryingConsumer in a group', () => {
  it('calls off what is under way on a partition that goes to another, and lets it be done there once', async (t) => {
    const setting = await retrySetting({ policy, partitions: 2 })
    const { bootstrapServers, topic } = setting
    const outTopic = await newTopic(bootstrapServers)
    const slow = new Hanging()
    const first = await startConsumer(t, setting, async (record, attempt) => {
      attempt.send({ topic: outTopic, value: record.value })
      await slow.handler(record, attempt)
    })
    await write(bootstrapServers, topic, [
      { value: 'p0', partition: 0 },
      { value: 'p1', partition: 1 },
    ])
    await slow.until(2)
    const second = await startConsumer(t, setting, ({ value }, { send }) => {
      send({ topic: outTopic, value })
    })
    await aborted(slow.begun.map(({ signal }) => signal))
    await second.events.until((all) => all.of('processed').length === 1)
    assert.equal(slow.begun.filter(({ signal }) => signal.aborted).length, 1)
    // What the handler that was called off says now is too late.
    slow.release()
    await first.events.until((all) => all.of('processed').length === 1)
    const out = await consumeRecords(bootstrapServers, outTopic, 2)
    assert.deepEqual(out.map(({ value }) => String(value)).toSorted(), ['p0', 'p1'])
    assert.ok(first.events.of('revoked').length > 0)
  })

  it('stop waits for the handler, settles what it did, and leaves the rest to others', async (t) => {
    const setting = await retrySetting({ policy })
    const { bootstrapServers, topic } = setting
    const slow = new Hanging()
    const first = await startConsumer(t, setting, slow.handler)
    await write(bootstrapServers, topic, [{ value: 'a' }, { value: 'b' }])
    await slow.until(1)
    const stopped = first.consumer.stop()
    slow.release()
    await stopped
    await first.consumer.ended
    assert.equal(slow.begun.length, 1)
    assert.equal(first.events.of('processed').length, 1)
    const handled: string[] = []
    const second = await startConsumer(t, setting, ({ value }) => {
      handled.push(String(value))
    })
    await second.events.until((all) => all.of('processed').length === 1)
    assert.deepEqual(handled, ['b'])
  })

  it('stop calls a handler off after its time', async (t) => {
    const setting = await retrySetting({ policy })
    const slow = new Hanging()
    const first = await startConsumer(t, setting, slow.handler, { stopTimeoutMs: 50 })
    await write(setting.bootstrapServers, setting.topic, [{ value: 'a' }])
    await slow.until(1)
    await first.consumer.stop()
    assert.equal(slow.begun[0]?.signal.aborted, true)
    assert.equal(first.events.of('processed').length, 0)
    slow.release()
  })

  it('a second one of the same instanceId ends the first', async (t) => {
    const setting = await retrySetting({ policy })
    const options = { instanceId: 'same' }
    const first = await startConsumer(t, setting, () => undefined, options)
    await first.events.until((all) => all.of('assigned').length > 0)
    const ended = assert.rejects(first.consumer.ended)
    const second = await startConsumer(t, setting, () => undefined, options)
    await ended
    await write(setting.bootstrapServers, setting.topic, [{ value: 'a' }])
    await second.events.until((all) => all.of('processed').length === 1)
  })

  it('goes on when its broker was killed and is back, without a record more or less', async (t) => {
    const broker = await privateKafka(t)
    const setting = await retrySetting({ policy, bootstrapServers: broker.bootstrapServers })
    const { bootstrapServers, topic } = setting
    const outTopic = await newTopic(bootstrapServers)
    const count = 2000
    const { events } = await startConsumer(t, setting, ({ value }, { number, send }) => {
      if (number === 1 && Number(value) % 4 === 0) throw new Error('later')
      send({ topic: outTopic, value })
    })
    const values = Array.from({ length: count }, (_, index) => String(index))
    await write(
      bootstrapServers,
      topic,
      values.map((value) => ({ value })),
    )
    await events.until((all) => all.of('processed').length > 100)
    await broker.restart()
    await events.until((all) => all.of('processed').length === count)
    const out = await consumeRecords(bootstrapServers, outTopic, count)
    assert.deepEqual(
      out.map(({ value }) => Number(value)).toSorted((a, b) => a - b),
      values.map(Number),
    )
  })

  it('stop ends when its broker does not answer', async (t) => {
    const broker = await privateKafka(t)
    const setting = await retrySetting({ policy, bootstrapServers: broker.bootstrapServers })
    const slow = new Hanging()
    const { events, consumer } = await startConsumer(t, setting, slow.handler, {
      stopTimeoutMs: 500,
    })
    await write(setting.bootstrapServers, setting.topic, [{ value: 'a' }])
    await slow.until(1)
    broker.pause()
    slow.release()
    await consumer.stop()
    assert.equal(events.of('processed').length, 0)
  })
})
