import assert from 'node:assert/strict'
import type { ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { createInterface } from 'node:readline'
import { it } from 'node:test'
import { consumeUntil, newTopic, type ConsumedRecord } from '../helpers/kafka.ts'
import { topologyText } from '../helpers/topology.ts'
import { retrySetting, write } from '../integration/retry/setting.ts'
import type { Order, Work } from './retry-worker.ts'
import { startWorker } from '../helpers/worker-process.ts'

const records = 10_000
const kills = 9
/** Settled records between two kills. */
const pace = 1000

/** Attempts that a record needs; `dead` where it is given up after them. */
function fateOf(id: number): {
  readonly order: Order
  readonly attempts: number
  readonly isDead: boolean
} {
  const last = id % 10
  if (last === 0) return { order: { id, fails: 99 }, attempts: 4, isDead: true }
  if (last === 1) return { order: { id, fails: 99, code: 'HOPELESS' }, attempts: 1, isDead: true }
  const fails = last <= 4 ? last - 1 : 0
  return { order: { id, fails }, attempts: fails + 1, isDead: false }
}

it('10,000 records end processed or dead, each once and after the right number of attempts, however often consumers are killed', async (t) => {
  const partitions = 6
  const setting = await retrySetting({
    policy:
      '{ attempts: 3, delays: [100ms, 300ms, 1s], jitter: 0.1, then: deadLetter, deadOn: [HOPELESS] }',
    partitions,
  })
  const { bootstrapServers, topic, retryTopic, deadLetterTopic, lines } = setting
  const outTopic = await newTopic(bootstrapServers, { partitions })
  const ids = Array.from({ length: records }, (_, id) => id)
  await write(
    bootstrapServers,
    topic,
    ids.map((id) => ({ key: `key-${id % 500}`, value: JSON.stringify(fateOf(id).order) })),
  )

  const workers = new Workers({ file: topologyText(lines), topic, outTopic, bootstrapServers })
  t.after(() => workers.killAll())
  // Two come back under their names, which ends their open transactions; the partitions of the third wait for its session to end.
  const names = ['one', 'two', undefined]
  for (const name of names) workers.start(name)
  for (let kill = 0; kill < kills; kill++) {
    await workers.untilSettled(pace * (kill + 1))
    // One that comes back after its partitions have gone must not settle what it had begun.
    if (kill === 4) await workers.freezeUntilOthersTakeOver('one')
    const name = names[kill % names.length]
    await workers.kill(name)
    workers.start(name)
  }

  const dead = await consumeUntil(
    bootstrapServers,
    deadLetterTopic,
    (all) => all.length >= records / 5,
    { deadlineMs: 180_000 },
  )
  const processed = await consumeUntil(
    bootstrapServers,
    outTopic,
    (all) => all.length >= (records * 4) / 5,
    { deadlineMs: 180_000 },
  )
  await workers.stopAll()

  const ends = [...processed.map(endOfProcessed), ...dead.map(endOfDead)].toSorted(
    (a, b) => a.id - b.id,
  )
  const expected = ids.map((id) => {
    const { attempts, isDead } = fateOf(id)
    return { id, attempts, isDead }
  })
  assert.deepEqual(ends, expected)
  // No step was doubled on the way either.
  const steps = ids.flatMap((id) =>
    Array.from({ length: fateOf(id).attempts - 1 }, (_, index) => `${id} ${index + 1}`),
  )
  const moved = await consumeUntil(
    bootstrapServers,
    retryTopic,
    (all) => all.length >= steps.length,
  )
  assert.deepEqual(moved.map(stepOf).toSorted(), steps.toSorted())
  assert.equal(workers.kills, kills)
})

function endOfProcessed({ value }: ConsumedRecord) {
  const { id, attempt } = JSON.parse(value ?? '') as { id: number; attempt: number }
  return { id, attempts: attempt, isDead: false }
}

function endOfDead({ value, headers }: ConsumedRecord) {
  const { id } = JSON.parse(value ?? '') as Order
  return { id, attempts: Number(headers['x-attempt']), isDead: true }
}

function stepOf({ value, headers }: ConsumedRecord): string {
  return `${(JSON.parse(value ?? '') as Order).id} ${headers['x-attempt']}`
}

class Workers {
  readonly #work: Work
  readonly #running = new Map<string | undefined, ChildProcess>()
  #settled = 0
  #assigned = 0
  #look: () => void = () => undefined
  kills = 0

  constructor(work: Work) {
    this.#work = work
  }

  start(instanceId: string | undefined): void {
    const work = { ...this.#work, ...(instanceId === undefined ? {} : { instanceId }) }
    const child = startWorker(new URL('retry-worker.ts', import.meta.url), work)
    createInterface(child.stdout).on('line', (line) => {
      if (line === 'processed' || line === 'dead') this.#settled++
      if (line === 'assigned') this.#assigned++
      this.#look()
    })
    this.#running.set(instanceId, child)
  }

  /** What a killed worker has settled and not told is missing here. */
  async untilSettled(count: number): Promise<void> {
    await new Promise<void>((resolve) => {
      this.#look = () => {
        if (this.#settled >= Math.min(count, records - 2 * pace)) resolve()
      }
      this.#look()
    })
  }

  async freezeUntilOthersTakeOver(instanceId: string): Promise<void> {
    const child = this.#running.get(instanceId)
    assert.ok(child)
    const before = this.#assigned
    child.kill('SIGSTOP')
    await new Promise<void>((resolve) => {
      this.#look = () => {
        if (this.#assigned > before) resolve()
      }
    })
    child.kill('SIGCONT')
  }

  async kill(instanceId: string | undefined): Promise<void> {
    const child = this.#running.get(instanceId)
    assert.ok(child && child.exitCode === null, 'the consumer has ended by itself')
    child.kill('SIGKILL')
    await once(child, 'exit')
    this.kills++
  }

  async stopAll(): Promise<void> {
    for (const child of this.#running.values()) {
      const exit = once(child, 'exit')
      child.kill('SIGTERM')
      assert.deepEqual(await exit, [0, null])
    }
    this.#running.clear()
  }

  killAll(): void {
    for (const child of this.#running.values()) child.kill('SIGKILL')
  }
}
