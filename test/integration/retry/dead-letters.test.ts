import assert from 'node:assert/strict'
import { describe, it, type TestContext } from 'node:test'
import { runCommand } from '../../../src/cli/run-command.ts'
import { consumeRecords, consumeUntil } from '../../helpers/kafka.ts'
import { topologyFile, topologyText } from '../../helpers/topology.ts'
import { Coded, retrySetting, startConsumer, write, type Setting } from './setting.ts'

interface Ended {
  readonly code: number
  readonly out: string
  readonly err: string
}

/** `fhir-kafka topology dlq … FILE TOPIC …` */
type Dlq = (command: string, ...options: string[]) => Promise<Ended>

async function dlqOf(t: TestContext, setting: Setting, topic = setting.topic): Promise<Dlq> {
  const cluster = `cluster: { bootstrapServers: '${setting.bootstrapServers}' }`
  const file = await topologyFile(t, topologyText(`${cluster}\n${setting.lines}`))
  return async (command, ...options) => {
    let [out, err] = ['', '']
    const code = await runCommand(['topology', 'dlq', command, file, topic, ...options], {
      env: {},
      isTerminal: false,
      out: (text) => (out += text),
      err: (text) => (err += text),
    })
    return { code, out, err }
  }
}

/** Dead letters by their values: the first letter is the code that they fail with. */
async function died(t: TestContext, setting: Setting, values: readonly string[]): Promise<void> {
  const { events, consumer } = await startConsumer(t, setting, ({ value }) => {
    throw new Coded(String(value).slice(0, 1))
  })
  await write(
    setting.bootstrapServers,
    setting.topic,
    values.map((value) => ({ key: `key-${value}`, value, headers: { from: 'Åse' } })),
  )
  await events.until((all) => all.of('dead').length === values.length)
  await consumer.stop()
}

const policy = '{ attempts: 1, delays: [1h], then: deadLetter, deadOn: [A, B] }'

describe('fhir-kafka topology dlq', () => {
  it('ls counts, show shows headers, and payload only when it is asked for', async (t) => {
    const setting = await retrySetting({ policy })
    const dlq = await dlqOf(t, setting)
    const none = await dlq('ls')
    assert.deepEqual([none.code, none.out], [0, `${setting.deadLetterTopic}: 0 dead letters\n`])
    assert.deepEqual(await dlq('show'), { code: 0, out: 'Nothing.\n', err: '' })
    await died(t, setting, ['A1', 'B1', 'A2'])
    const some = await dlq('ls')
    assert.equal(some.code, 2)
    assert.match(
      some.out,
      /^orders-\w+\.dlq: 3 dead letters\n {2}partition 0: 3, offsets 0 to \d+\n {2}A: 2\n {2}B: 1\n$/,
    )
    const listing = JSON.parse((await dlq('ls', '--json')).out) as {
      errorClasses: unknown
      records: number
    }
    assert.deepEqual([listing.records, listing.errorClasses], [3, { A: 2, B: 1 }])

    const shown = await dlq('show', '--error-class', 'A', '--limit', '1')
    assert.equal(shown.code, 0)
    assert.match(shown.out, /^partition 0 offset 0\n {2}x-original-topic: orders-/)
    assert.match(shown.out, /\n {2}x-attempt: 1\n/)
    for (const secret of ['A1', 'key-', 'from', 'se"'])
      assert.ok(!shown.out.includes(secret), secret)
    const machine = await dlq('show', '--json')
    assert.ok(!/key-|A1|from/.test(machine.out))
    const open = await dlq('show', '--error-class', 'B', '--payload')
    assert.match(open.out, /\n {2}from: "Åse"\n[\s\S]*\n {2}key: key-B1\n {2}value: B1\n$/)
  })

  it('redrive sends again what is asked for, once, and leaves the rest', async (t) => {
    const setting = await retrySetting({ policy, partitions: 2 })
    const { bootstrapServers, topic, deadLetterTopic } = setting
    const dlq = await dlqOf(t, setting, deadLetterTopic)
    const values = ['A1', 'B1', 'A2', 'B2', 'A3', 'B3', 'A4']
    await died(t, setting, values)
    const limited = await dlq('redrive', '--error-class', 'A', '--limit', '3')
    assert.deepEqual([limited.code, limited.out], [2, '3 sent again, 4 left\n'])
    const rest = await dlq('redrive', '--error-class', 'A', '--json')
    assert.deepEqual([rest.code, JSON.parse(rest.out)], [2, { sent: 1, left: 3, obstacles: {} }])
    const nothing = await dlq('redrive', '--error-class', 'A')
    assert.deepEqual([nothing.code, nothing.out], [2, '0 sent again, 3 left\n'])
    const listing = JSON.parse((await dlq('ls', '--json')).out) as { errorClasses: unknown }
    assert.deepEqual(listing.errorClasses, { B: 3 })
    const all = await dlq('redrive')
    assert.deepEqual([all.code, all.out], [0, '3 sent again, 0 left\n'])
    assert.equal((await dlq('ls')).code, 0)

    const records = await consumeRecords(bootstrapServers, topic, 14)
    const first = records.filter(({ headers }) => headers['x-redrive-count'] === undefined)
    const again = records.filter(({ headers }) => headers['x-redrive-count'] !== undefined)
    const placed = (list: typeof records) =>
      list.map(({ key, value, partition }) => `${key} ${value} ${partition}`).toSorted()
    assert.deepEqual(placed(again), placed(first))
    for (const { headers } of again) {
      assert.deepEqual(headers, {
        from: 'Åse',
        'x-redrive-count': '1',
        'x-consumer-group': `${topic}-packing`,
      })
    }
  })

  it('what is sent again begins anew, for the group that failed', async (t) => {
    const setting = await retrySetting({
      policy: '{ attempts: 1, delays: [20ms], then: deadLetter }',
      consumers: 'web/Packing, web/Billing',
    })
    const dlq = await dlqOf(t, setting)
    const attempts: string[] = []
    const billed: number[] = []
    const packing = await startConsumer(
      t,
      setting,
      (_, { number, redriveCount }) => {
        attempts.push(`${redriveCount}/${number}`)
        throw new Coded('C')
      },
      { consumer: 'web/Packing' },
    )
    const billing = await startConsumer(t, setting, ({ offset }) => void billed.push(offset), {
      consumer: 'web/Billing',
    })
    const { bootstrapServers, topic } = setting
    await write(bootstrapServers, topic, [{ value: 'x' }])
    for (const count of [1, 2]) {
      await packing.events.until((all) => all.of('dead').length === count)
      assert.equal((await dlq('redrive')).code, 0)
    }
    await packing.events.until((all) => all.of('dead').length === 3)
    const dead = await consumeUntil(
      bootstrapServers,
      setting.deadLetterTopic,
      (all) => all.filter(({ value }) => value !== null).length === 3,
    )
    const counts = dead
      .filter(({ value }) => value !== null)
      .map(({ headers }) => headers['x-redrive-count'])
    assert.deepEqual(counts, [undefined, '1', '2'])
    assert.deepEqual(attempts, ['0/1', '0/2', '1/1', '1/2', '2/1', '2/2'])
    await write(bootstrapServers, topic, [{ value: 'y' }])
    await billing.events.until((all) => all.of('processed').length === 2)
    assert.equal(billed.length, 2)
  })

  it('redrive leaves what it cannot send as it was', async (t) => {
    const setting = await retrySetting({ policy })
    const { bootstrapServers, deadLetterTopic } = setting
    const dlq = await dlqOf(t, setting)
    const raw = Buffer.from([255]).toString('base64')
    await write(bootstrapServers, deadLetterTopic, [
      { value: 'bytes', headers: { 'x-base64-h': raw, 'x-original-topic': setting.topic } },
      { value: 'foreign', headers: { 'x-original-topic': 'elsewhere' } },
      { value: 'good', headers: { 'x-original-topic': setting.topic } },
    ])
    const { code, out } = await dlq('redrive')
    assert.equal(code, 2)
    assert.match(
      out,
      /^1 cannot be sent: it has a header that is not text.*\n1 cannot be sent: it is not from orders-.*\n1 sent again, 2 left\n$/,
    )
    const kept = JSON.parse((await dlq('show', '--payload', '--json')).out) as { value: string }[]
    assert.deepEqual(
      kept.map(({ value }) => value),
      ['bytes', 'foreign'],
    )
  })

  it('purge deletes only when it is told, and only what was seen', async (t) => {
    const setting = await retrySetting({ policy })
    const dlq = await dlqOf(t, setting)
    await died(t, setting, ['A1', 'A2'])
    const refused = await dlq('purge')
    assert.deepEqual([refused.code, refused.out], [1, ''])
    assert.match(refused.err, /has 2 dead letters; --yes deletes them for good/)
    const { partitions } = JSON.parse((await dlq('ls', '--json')).out) as {
      partitions: { partition: number; to: number }[]
    }
    await died(t, setting, ['B1'])
    const before = partitions.map(({ partition, to }) => `${partition}:${to}`).join()
    const purged = await dlq('purge', '--yes', '--before', before)
    assert.equal(purged.code, 0, purged.err)
    const left = JSON.parse((await dlq('ls', '--json')).out) as { errorClasses: unknown }
    assert.deepEqual(left.errorClasses, { B: 1 })
    assert.equal((await dlq('purge', '--yes', '--json')).code, 0)
    assert.equal((await dlq('ls')).code, 0)
  })

  it('says what is wrong with its arguments', async (t) => {
    const setting = await retrySetting({ policy })
    const dlq = await dlqOf(t, setting)
    for (const [options, message] of [
      [['show', '--limit', '0'], /--limit 0 is no number/],
      [['purge', '--before', '1'], /--before 1 is not of the form/],
      [['ls', 'more'], /takes a file and a topic/],
    ] as const) {
      const [command, ...rest] = options
      const { code, err } = await dlq(command, ...rest)
      assert.deepEqual([code, message.test(err)], [1, true], err)
    }
    const other = await dlqOf(t, setting, 'unknown')
    assert.match((await other('ls')).err, /"unknown" has no dead-letter topic in the file/)
  })
})
