import assert from 'node:assert/strict'
import { subscribe, unsubscribe } from 'node:diagnostics_channel'
import { describe, it } from 'node:test'
import { Producer } from '@platformatic/kafka'
import { retryChannelName, type RetryEvent } from '../../../src/retry/retry-events.ts'
import { retryingConsumer } from '../../../src/retry/retrying-consumer.ts'
import { consumeRecords, consumeUntil, newTopic, testKafka } from '../../helpers/kafka.ts'
import { topologyOf } from '../../helpers/topology.ts'
import { withholdCalls } from '../kafka/withheld-calls.ts'
import { Coded, retrySetting, startConsumer, write } from './setting.ts'

const byNumber = (a: number, b: number): number => a - b

describe('retryingConsumer', () => {
  it('tries again what fails, and gives it up after the attempts of its policy', async (t) => {
    const setting = await retrySetting({
      policy: '{ attempts: 2, delays: [50ms, 100ms], then: deadLetter }',
    })
    const { bootstrapServers, topic, retryTopic, deadLetterTopic } = setting
    const tried: string[] = []
    const { events } = await startConsumer(t, setting, ({ value, offset, headers }, { number }) => {
      const text = String(value)
      const header = headers.map(([name, one]) => `${name}=${String(one)}`).join()
      tried.push(`${text} ${offset} ${number} ${header}`)
      if (text === 'bad' || (text === 'late' && number < 3)) throw new RangeError('not with me')
    })
    await write(bootstrapServers, topic, [
      { key: 'a', value: 'good', headers: { h: '1' } },
      { key: 'b', value: 'bad', headers: { h: '2' } },
      { key: 'c', value: 'late', headers: { h: '3' } },
    ])
    await events.until((all) => all.of('processed').length === 2 && all.of('dead').length === 1)
    assert.deepEqual(tried.toSorted(), [
      ...['bad 1 1 h=2', 'bad 1 2 h=2', 'bad 1 3 h=2', 'good 0 1 h=1'],
      ...['late 2 1 h=3', 'late 2 2 h=3', 'late 2 3 h=3'],
    ])
    const [dead, ...others] = await consumeRecords(bootstrapServers, deadLetterTopic, 1)
    assert.deepEqual([dead?.key, dead?.value, others.length], ['b', 'bad', 0])
    const { headers = {} } = dead ?? {}
    const times = ['x-original-timestamp', 'x-first-seen', 'x-last-attempt'].map((name) => {
      const text = headers[name] ?? ''
      assert.equal(new Date(text).toISOString(), text)
      return text
    })
    assert.deepEqual(times.toSorted(), times)
    assert.deepEqual(
      Object.entries(headers).filter(([, value]) => !times.includes(value)),
      [
        ['h', '2'],
        ['x-original-topic', topic],
        ['x-original-partition', '0'],
        ['x-original-offset', '1'],
        ['x-attempt', '3'],
        ['x-error-class', 'RangeError'],
        ['x-consumer-group', `${topic}-packing`],
      ],
    )
    const moved = await consumeRecords(bootstrapServers, retryTopic, 4)
    assert.deepEqual(
      moved.map(({ value, headers: { 'x-attempt': attempt } }) => `${value} ${attempt}`).toSorted(),
      ['bad 1', 'bad 2', 'late 1', 'late 2'],
    )
    assert.ok(moved.every((record) => !JSON.stringify(record.headers).includes('not with me')))
  })

  it('keeps what is empty apart from what is null, on the retry topic as well', async (t) => {
    const setting = await retrySetting({
      policy: '{ attempts: 1, delays: [50ms], then: deadLetter }',
    })
    const { bootstrapServers, topic } = setting
    const producer = new Producer({ clientId: 'test', bootstrapBrokers: [bootstrapServers] })
    t.after(() => producer.close())
    const empty = Buffer.alloc(0)
    const messages = [
      { key: Buffer.from('a'), value: empty },
      { key: empty, value: Buffer.from('b') },
      { key: Buffer.from('c') },
    ]
    await producer.send({ messages: messages.map((one) => ({ topic, partition: 0, ...one })) })
    const tried: string[] = []
    const { events } = await startConsumer(t, setting, ({ key, value }, { number }) => {
      tried.push(JSON.stringify([number, key?.toString() ?? null, value?.toString() ?? null]))
      if (number === 1) throw new Error('not yet')
    })
    await events.until((all) => all.of('processed').length === 3)
    assert.deepEqual(
      tried.toSorted(),
      [1, 2].flatMap((number) => [
        `[${number},"","b"]`,
        `[${number},"a",""]`,
        `[${number},"c",null]`,
      ]),
    )
  })

  it('begins no attempt before it is due', async (t) => {
    const setting = await retrySetting({
      policy: '{ attempts: 3, delays: [200ms, 400ms], jitter: 0.5, then: deadLetter }',
    })
    const begun: number[] = []
    const { events } = await startConsumer(
      t,
      setting,
      () => {
        begun.push(Date.now())
        throw new Coded('AGAIN')
      },
      { random: () => 0.5 },
    )
    await write(setting.bootstrapServers, setting.topic, [{ value: 'x' }])
    await events.until((all) => all.of('dead').length === 1)
    const retries = events.of('retry')
    assert.equal(begun.length, 4)
    for (const [index, { notBeforeMs }] of retries.entries()) {
      const [before = 0, after = 0] = begun.slice(index)
      assert.ok(after >= notBeforeMs)
      // Three quarters of the delay.
      assert.ok(notBeforeMs - before >= (index === 0 ? 150 : 300))
    }
  })

  it('a code of deadOn and the age of a record end its attempts', async (t) => {
    const setting = await retrySetting({
      policy:
        '{ maxAge: 700ms, delays: [200ms, 300ms, 400ms], then: deadLetter, deadOn: [EXPIRED] }',
    })
    const { events } = await startConsumer(t, setting, ({ value }) => {
      throw new Coded(String(value))
    })
    await write(setting.bootstrapServers, setting.topic, [{ value: 'EXPIRED' }, { value: 'LATER' }])
    await events.until((all) => all.of('dead').length === 2)
    const dead = events.of('dead')
    const attemptsOf = (name: string): number =>
      dead.find(({ errorClass }) => errorClass === name)?.attempt ?? 0
    assert.equal(attemptsOf('EXPIRED'), 1)
    // 0, 200 and 500 ms or a little later; the next one would be due at 900.
    assert.ok(attemptsOf('LATER') <= 3)
    assert.ok(attemptsOf('LATER') >= 1)
    const firstSeen = await consumeRecords(setting.bootstrapServers, setting.deadLetterTopic, 2)
    for (const { headers } of firstSeen) {
      const age =
        Date.parse(headers['x-last-attempt'] ?? '') - Date.parse(headers['x-first-seen'] ?? '')
      assert.ok(age >= 0)
    }
  })

  it('a record that waits for long keeps none from its turn, on one partition', async (t) => {
    const setting = await retrySetting({
      policy: '{ attempts: 2, delays: [50ms, 1h], then: deadLetter }',
    })
    const { bootstrapServers, topic, retryTopic } = setting
    const { events } = await startConsumer(t, setting, ({ value }, { number }) => {
      if (String(value) === 'long' || number < 2) throw new Coded('AGAIN')
    })
    await write(bootstrapServers, topic, [{ value: 'long' }])
    await events.until((all) => all.of('retry').some(({ attempt }) => attempt === 2))
    const notBefore = new Date(events.of('retry')[1]?.notBeforeMs ?? 0).toISOString()
    await write(bootstrapServers, topic, [{ value: 'short' }, { value: 'short' }])
    await events.until((all) => all.of('processed').length === 2)
    // The long one stands behind them now, and waits as long as before.
    const records = await consumeUntil(
      bootstrapServers,
      retryTopic,
      (all) => all.at(-1)?.value === 'long' && all.length >= 5,
    )
    const waits = records.filter(({ headers }) => headers['x-attempt'] === '2')
    assert.ok(waits.length >= 2)
    assert.deepEqual(
      new Set(waits.map(({ headers }) => headers['x-not-before'])),
      new Set([notBefore]),
    )
  })

  it('gives each length of delay partitions of its own, where there are enough', async (t) => {
    const setting = await retrySetting({
      policy: '{ attempts: 2, delays: [50ms, 1h], then: deadLetter }',
      retryPartitions: 4,
    })
    const { bootstrapServers, topic, retryTopic } = setting
    const { events } = await startConsumer(t, setting, () => {
      throw new Coded('AGAIN')
    })
    const keys = Array.from({ length: 20 }, (_, index) => `key-${index}`)
    await write(
      bootstrapServers,
      topic,
      keys.map((key) => ({ key, value: key })),
    )
    await events.until((all) => all.of('retry').length === 40)
    const records = await consumeRecords(bootstrapServers, retryTopic, 40)
    assert.equal(records.length, 40)
    const partitionsOf = (attempt: string): number[] => [
      ...new Set(
        records
          .filter(({ headers }) => headers['x-attempt'] === attempt)
          .map(({ partition }) => partition),
      ),
    ]
    assert.deepEqual(partitionsOf('1').toSorted(byNumber), [0, 2])
    assert.deepEqual(partitionsOf('2').toSorted(byNumber), [1, 3])
  })

  it('a partition whose handler hangs holds up no other, and a failure not those behind it', async (t) => {
    const setting = await retrySetting({
      policy: '{ attempts: 1, delays: [1h], then: deadLetter }',
      partitions: 2,
    })
    const { bootstrapServers, topic } = setting
    let release = (): void => undefined
    const hanging = new Promise<void>((resolve) => {
      release = resolve
    })
    const { events } = await startConsumer(t, setting, async ({ value }) => {
      if (String(value) === 'hangs') await hanging
      if (String(value) === 'fails') throw new Coded('AGAIN')
    })
    await write(bootstrapServers, topic, [{ value: 'hangs', partition: 0 }])
    await write(bootstrapServers, topic, [
      { value: 'fails', partition: 1 },
      { value: 'good', partition: 1 },
    ])
    await events.until((all) =>
      all.of('processed').some(({ original }) => original.partition === 1),
    )
    assert.equal(events.of('retry').length, 1)
    release()
    await events.until((all) => all.of('processed').length === 2)
  })

  it('what a handler sends is written with its success alone', async (t) => {
    const setting = await retrySetting({
      policy: '{ attempts: 1, delays: [50ms], then: deadLetter }',
    })
    const { bootstrapServers, topic } = setting
    const outTopic = await newTopic(bootstrapServers)
    const { events } = await startConsumer(t, setting, (_, { number, send }) => {
      send({ topic: outTopic, key: 'k', value: `attempt ${number}`, headers: [['h', 'v']] })
      assert.throws(() => {
        send({ topic: outTopic, value: null, headers: [['h', Buffer.from([255])]] })
      }, TypeError)
      if (number === 1) throw new Coded('AGAIN')
    })
    await write(bootstrapServers, topic, [{ value: 'x' }])
    await events.until((all) => all.of('processed').length === 1)
    const sent = await consumeRecords(bootstrapServers, outTopic, 1)
    assert.deepEqual(
      sent.map(({ key, value, headers }) => ({ key, value, headers })),
      [{ key: 'k', value: 'attempt 2', headers: { h: 'v' } }],
    )
  })

  it('only the group that failed gets a record again', async (t) => {
    const setting = await retrySetting({
      policy: '{ attempts: 1, delays: [50ms], then: deadLetter }',
      consumers: 'web/Packing, web/Billing',
    })
    const { bootstrapServers, topic } = setting
    const [packed, billed]: [string[], string[]] = [[], []]
    const packing = await startConsumer(
      t,
      setting,
      ({ value }, { number }) => {
        packed.push(`${String(value)} ${number}`)
        if (number === 1) throw new Coded('AGAIN')
      },
      { consumer: 'web/Packing' },
    )
    const billing = await startConsumer(
      t,
      setting,
      ({ value }, { number }) => {
        billed.push(`${String(value)} ${number}`)
      },
      { consumer: 'web/Billing' },
    )
    await write(bootstrapServers, topic, [{ value: 'x' }])
    await packing.events.until((all) => all.of('processed').length === 1)
    await write(bootstrapServers, topic, [{ value: 'y' }])
    await packing.events.until((all) => all.of('processed').length === 2)
    await billing.events.until((all) => all.of('processed').length === 2)
    assert.deepEqual(packed, ['x 1', 'x 2', 'y 1', 'y 2'])
    assert.deepEqual(billed, ['x 1', 'y 1'])
  })

  it('a component that consumes the retry topic alone takes what the other fails with', async (t) => {
    const setting = await retrySetting({
      policy: '{ attempts: 1, delays: [50ms], then: deadLetter }',
      retry: '{ policy: policy, to: [web/Repacking] }',
    })
    const handled: string[] = []
    const packing = await startConsumer(
      t,
      setting,
      () => {
        handled.push('packing')
        throw new Coded('AGAIN')
      },
      { consumer: 'web/Packing' },
    )
    const repacking = await startConsumer(
      t,
      setting,
      (_, { number }) => {
        handled.push(`repacking ${number}`)
        throw new Coded('AGAIN')
      },
      { consumer: 'web/Repacking' },
    )
    await write(setting.bootstrapServers, setting.topic, [{ value: 'x' }])
    await repacking.events.until((all) => all.of('dead').length === 1)
    assert.deepEqual(handled, ['packing', 'repacking 2'])
    assert.equal(packing.events.of('retry').length, 1)
  })

  it('keeps bytes of keys, values and headers over a retry', async (t) => {
    const setting = await retrySetting({
      policy: '{ attempts: 1, delays: [50ms], then: deadLetter }',
    })
    const { bootstrapServers, topic, retryTopic } = setting
    const bytes = Buffer.from([0, 255, 128, 10])
    const seen: unknown[] = []
    const { events } = await startConsumer(t, setting, ({ key, value, headers }, { number }) => {
      seen.push({ key, value, headers })
      if (number === 1) throw new Coded('AGAIN')
    })
    await write(bootstrapServers, topic, [
      { key: bytes, value: null, headers: { same: '1', ä: 'ö' } },
    ])
    await events.until((all) => all.of('processed').length === 1)
    assert.deepEqual(seen[0], seen[1])
    const headers = [
      ['same', Buffer.from('1')],
      ['ä', Buffer.from('ö')],
    ]
    assert.deepEqual(seen[0], { key: bytes, value: null, headers })
    // What somebody else has written with bytes that node-rdkafka cannot write.
    await write(bootstrapServers, retryTopic, [
      { value: 'own', headers: { 'x-base64-raw': bytes.toString('base64') } },
    ])
    await events.until((all) => all.of('processed').length === 2)
    assert.deepEqual((seen.at(-1) as { headers: unknown }).headers, [['raw', bytes]])
  })

  it('policies may end with nothing, or outside of Kafka', async (t) => {
    const dropping = await retrySetting({
      policy: '{ attempts: 1, delays: [50ms], then: drop }',
    })
    const fails = (): void => {
      throw new Coded('AGAIN')
    }
    const dropped = await startConsumer(t, dropping, fails)
    await write(dropping.bootstrapServers, dropping.topic, [{ value: 'x' }])
    await dropped.events.until((all) => all.of('dead').length === 1)

    const external = await retrySetting({
      policy: '{ attempts: 1, delays: [50ms], then: external }',
    })
    const connection = { 'bootstrap.servers': external.bootstrapServers }
    assert.throws(
      () => retryingConsumer(external.topology, external.topic, fails, { connection }),
      /onGivenUp must take/,
    )
    const taken: string[] = []
    const given = await startConsumer(t, external, fails, {
      onGivenUp: ({ value }, { attempts, errorClass }) => {
        taken.push(`${String(value)} ${attempts} ${errorClass}`)
        if (taken.length === 1) throw new Error('not yet')
      },
    })
    await write(external.bootstrapServers, external.topic, [{ value: 'x' }])
    await given.events.until((all) => all.of('dead').length === 1)
    assert.deepEqual(taken, ['x 2 AGAIN', 'x 2 AGAIN'])
    assert.deepEqual(
      [...dropped.events.of('dead'), ...given.events.of('dead')].map(({ end }) => end),
      ['drop', 'external'],
    )
  })

  it('a record that Kafka refuses holds up its partition alone, and is told', async (t) => {
    const setting = await retrySetting({
      policy: '{ attempts: 1, delays: [50ms], then: deadLetter }',
      partitions: 2,
      retryConfig: { 'max.message.bytes': '2000' },
    })
    const { bootstrapServers, topic } = setting
    const { events } = await startConsumer(t, setting, (_, { number }) => {
      if (number === 1) throw new Coded('AGAIN')
    })
    await write(bootstrapServers, topic, [
      { value: 'before', partition: 0 },
      { value: 'x'.repeat(3000), partition: 0 },
      { value: 'good', partition: 1 },
    ])
    await events.until((all) => all.of('processed').length === 2 && all.of('trouble').length > 0)
    assert.deepEqual(
      events
        .of('processed')
        .map(({ original }) => original.partition)
        .toSorted(byNumber),
      [0, 1],
    )
    assert.match(events.of('trouble')[0]?.message ?? '', /larger|large/)
  })

  it('goes on with another producer when librdkafka does not end a call', async (t) => {
    const setting = await retrySetting({
      policy: '{ attempts: 1, delays: [50ms], then: deadLetter }',
    })
    const withheld = withholdCalls(t, 'sendOffsetsToTransaction')
    const { events } = await startConsumer(t, setting, () => undefined)
    await write(setting.bootstrapServers, setting.topic, [{ value: 'x' }])
    await withheld.until(1)
    await events.until((all) => all.of('trouble').length > 0)
    assert.match(events.of('trouble')[0]?.message ?? '', /^The checkpoint was not written within/)
    withheld.release()
    await events.until((all) => all.of('processed').length === 1)
    await write(setting.bootstrapServers, setting.topic, [{ value: 'y' }])
    await events.until((all) => all.of('processed').length === 2)
    assert.deepEqual(
      events.of('processed').map(({ original }) => original.offset),
      [0, 1],
    )
  })

  it('tells the diagnostics channel what it tells the callback', async (t) => {
    const setting = await retrySetting({
      policy: '{ attempts: 1, delays: [50ms], then: deadLetter }',
    })
    const published: RetryEvent[] = []
    const listen = (event: unknown): void => {
      const told = event as RetryEvent
      if (told.group.startsWith(setting.topic)) published.push(told)
    }
    subscribe(retryChannelName, listen)
    t.after(() => {
      unsubscribe(retryChannelName, listen)
    })
    const { events } = await startConsumer(t, setting, () => undefined)
    await write(setting.bootstrapServers, setting.topic, [{ value: 'x' }])
    await events.until((all) => all.of('processed').length === 1)
    assert.deepEqual(published, events.heard)
  })

  it('start says which topic is missing, and which broker does not answer', async () => {
    const { bootstrapServers } = await testKafka()
    const topology = topologyOf(`services: { web: { groupPrefix: x- } }
retryPolicies: { policy: { attempts: 1, delays: [1s], then: deadLetter } }
topics: { nowhere: { by: [web/A], to: [web/B], retry: policy } }`)
    const lost = retryingConsumer(topology, 'nowhere', () => undefined, {
      connection: { 'bootstrap.servers': bootstrapServers },
    })
    await assert.rejects(lost.start(), /^TopologyError: The topic "nowhere" is not on the cluster/)
    await lost.ended
    const unreached = retryingConsumer(topology, 'nowhere', () => undefined, {
      connection: { 'bootstrap.servers': '127.0.0.1:1' },
    })
    await assert.rejects(unreached.start(), { code: 'KTD_KAFKA' })
    const connection = { 'bootstrap.servers': bootstrapServers }
    assert.throws(
      () =>
        retryingConsumer(topology, 'nowhere', () => undefined, { connection, maxQueuedRecords: 0 }),
      { code: 'KTD_INVALID_OPTION' },
    )
  })
})
