import assert from 'node:assert/strict'
import { once } from 'node:events'
import { it } from 'node:test'
import { readDeadLetters } from '../../src/retry/dead-letters/dead-letters.ts'
import { consumeUntil } from '../helpers/kafka.ts'
import { topologyText } from '../helpers/topology.ts'
import { retrySetting, write } from '../integration/retry/setting.ts'
import type { RedriveWork } from './redrive-worker.ts'
import { startWorker } from '../helpers/worker-process.ts'

const letters = 16_000

it('sends each dead letter again once, and loses none of the others, however often it is killed', async (t) => {
  const setting = await retrySetting({
    policy: '{ attempts: 1, delays: [1s], then: deadLetter }',
    partitions: 2,
  })
  const { bootstrapServers, topic, deadLetterTopic, lines } = setting
  const ids = Array.from({ length: letters }, (_, id) => id)
  const isWanted = (id: number): boolean => id % 3 !== 0
  await write(
    bootstrapServers,
    deadLetterTopic,
    ids.map((id) => ({
      key: `key-${id}`,
      value: String(id),
      partition: id % 2,
      headers: {
        'x-original-topic': topic,
        'x-original-partition': String(id % 2),
        'x-error-class': isWanted(id) ? 'AGAIN' : 'NEVER',
      },
    })),
  )
  const work = {
    file: topologyText(lines),
    topic,
    bootstrapServers,
    errorClass: 'AGAIN',
  }
  for (const [index, delayMs] of [0, 1, 2, 4, 6, 8, 12].entries()) {
    const [code, signal] = await run({ ...work, steps: 1 + (index % 3), delayMs }, t)
    assert.deepEqual([code, signal], [null, 'SIGKILL'])
  }
  assert.deepEqual(await run(work, t), [0, null])

  const wanted = ids.filter(isWanted)
  const sent = await consumeUntil(bootstrapServers, topic, (all) => all.length >= wanted.length)
  assert.deepEqual(
    sent.map(({ value }) => Number(value)).toSorted((a, b) => a - b),
    wanted,
  )
  for (const { headers, partition, value } of sent) {
    assert.deepEqual([headers, partition], [{ 'x-redrive-count': '1' }, Number(value) % 2])
  }
  const left = await readDeadLetters(setting.topology, topic, {
    connection: { 'bootstrap.servers': bootstrapServers },
  })
  assert.deepEqual(
    left.map(({ value }) => Number(value)).toSorted((a, b) => a - b),
    ids.filter((id) => !isWanted(id)),
  )
})

async function run(
  work: RedriveWork,
  t: { after: (work: () => void) => void },
): Promise<unknown[]> {
  const child = startWorker(new URL('redrive-worker.ts', import.meta.url), work)
  t.after(() => child.kill('SIGKILL'))
  return once(child, 'exit')
}
