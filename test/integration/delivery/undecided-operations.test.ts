import assert from 'node:assert/strict'
import { describe, it, type TestContext } from 'node:test'
import type { ParametersParameter } from '@medplum/fhirtypes'
import { newTopic, testKafka } from '../../helpers/kafka.ts'
import { topicResource } from '../../helpers/topic-resources.ts'
import {
  destination,
  lines,
  patient,
  readTold,
  startNodes,
  statusOf,
  untilStatus,
  type Nodes,
} from './nodes.ts'

const { bootstrapServers } = await testKafka()

/** Cannot be decided for a patient with two names. */
const fails = "name.family > 'M'"

/** Two patients with two names each, of which nobody can say whether the topic selects them. */
async function withUndecided(t: TestContext): Promise<Nodes & { kafkaTopic: string }> {
  const nodes = await startNodes(t)
  const { host } = nodes.first
  const kafkaTopic = await newTopic(bootstrapServers)
  await host.put(topicResource('patients', { resource: 'Patient', fhirPathCriteria: fails }))
  await host.put(destination('d', { kafkaTopic, bootstrapServers }))
  await host.put(patient('a', { name: [{ family: 'A' }, { family: 'Z' }] }))
  await host.put(patient('b', { name: [{ family: 'Z' }, { family: 'Z' }] }))
  await untilStatus(nodes.first, 'd', (now) => now['messagesUndecided'] === 2)
  return { ...nodes, kafkaTopic }
}

const all = { name: 'all', valueBoolean: true }

describe('undecided events', () => {
  it('are named in $status with the version of their resource', async (t) => {
    const { first } = await withUndecided(t)
    const status = await statusOf(first, 'd')
    assert.match(
      status?.errors[0] ?? '',
      /^Patient\/b\/_history\/1: .*several items where one is expected/,
    )
  })

  it('stay with $redrive while nobody can decide, and are sent by it where that is asked for', async (t) => {
    const { first, kafkaTopic } = await withUndecided(t)
    const kept = await first.host.operate('redrive', 'd', [all])
    assert.deepEqual(kept.parameter, [
      { name: 'deadLetters', valueDecimal: 0 },
      { name: 'undecidedSent', valueDecimal: 0 },
      { name: 'undecidedNotFired', valueDecimal: 0 },
      { name: 'undecidedKept', valueDecimal: 2 },
    ])
    const sent = await first.host.operate('redrive', 'd', [
      { name: 'of', valueCode: 'undecided' },
      { name: 'error', valueString: 'SEVERAL items' },
      { name: 'decide', valueBoolean: false },
    ])
    assert.deepEqual(sent.parameter?.[1], { name: 'undecidedSent', valueDecimal: 2 })
    const events = await readTold(bootstrapServers, kafkaTopic, ({ length }) => length >= 2)
    assert.deepEqual(lines(events), ['1 Patient/a', '2 Patient/b'])
  })

  it('are listed by $dead-letters, the oldest first, without content', async (t) => {
    const { first } = await withUndecided(t)
    const of = { name: 'of', valueCode: 'undecided' }
    const partOf = ({ part = [] }: ParametersParameter, name: string): unknown =>
      Object.values(part.find((each) => each.name === name) ?? {})[1]
    const one = await first.host.operate('dead-letters', 'd', [
      of,
      { name: 'count', valueInteger: 1 },
    ])
    const [event, next] = one.parameter ?? []
    assert.ok(event && next)
    assert.deepEqual(partOf(event, 'focus'), { reference: 'Patient/a/_history/1' })
    assert.match(String(partOf(event, 'error')), /several items where one is expected/)
    assert.doesNotMatch(JSON.stringify(one), /family/)
    assert.equal(next.valueString, partOf(event, 'id'))
    const two = await first.host.operate('dead-letters', 'd', [
      of,
      { name: 'after', valueString: next.valueString ?? '' },
    ])
    assert.deepEqual(
      two.parameter?.map((each) => partOf(each, 'focus')),
      [{ reference: 'Patient/b/_history/1' }],
    )
    for (const none of [
      { name: 'fromEvent', valueInteger: 1 },
      { name: 'error', valueString: 'no such' },
    ])
      assert.deepEqual((await first.host.operate('dead-letters', 'd', [of, none])).parameter, [])
  })

  it('of a queue that nobody reads any more concern every destination that has left it', async (t) => {
    const nodes = await withUndecided(t)
    const { host } = nodes.first
    const { kafkaTopic } = nodes
    await host.put(topicResource('other', { resource: 'Observation' }))
    await host.put(destination('e', { kafkaTopic, bootstrapServers }))
    const leave = (id: string): Promise<void> =>
      host.put(destination(id, { kafkaTopic, bootstrapServers, topicId: 'other' }))
    await leave('d')
    // Those that are read concern who reads them.
    assert.equal((await statusOf(nodes.first, 'd'))?.['messagesUndecided'], 0)
    await leave('e')
    const counts = async (id: string): Promise<unknown[]> => {
      const status = await statusOf(nodes.first, id)
      return [status?.['messagesUndecided'], status?.['messagesDiscarded']]
    }
    assert.deepEqual(
      [await counts('d'), await counts('e')],
      [
        [2, 0],
        [2, 0],
      ],
    )
    host.forbidden.add('update AidboxTopicDestination/e')
    for (const code of ['discard', 'redrive'])
      await assert.rejects(host.operate(code, 'd', [all]), /Forbidden/)
    assert.deepEqual(await counts('e'), [2, 0])
    host.forbidden.clear()
    const { parameter } = await host.operate('discard', 'd', [all])
    assert.deepEqual(parameter?.[1], { name: 'undecided', valueDecimal: 2 })
    assert.deepEqual(
      [await counts('d'), await counts('e')],
      [
        [0, 2],
        [0, 2],
      ],
    )
  })

  it('are left alone by another error, another time, numbers, and a $discard of dead letters', async (t) => {
    const { first } = await withUndecided(t)
    const selections = [
      [{ name: 'error', valueString: 'no such error' }],
      [{ name: 'to', valueDateTime: '2020-01-01' }],
      [{ name: 'fromEvent', valueInteger: 1 }],
      [all, { name: 'of', valueCode: 'dead-letters' }],
    ]
    for (const selection of selections) {
      const { parameter } = await first.host.operate('discard', 'd', selection)
      assert.deepEqual(parameter?.[1], { name: 'undecided', valueDecimal: 0 })
    }
    const { parameter } = await first.host.operate('discard', 'd', [
      { name: 'from', valueDateTime: '2020-01-01' },
    ])
    assert.deepEqual(parameter?.[1], { name: 'undecided', valueDecimal: 2 })
    const status = await statusOf(first, 'd')
    assert.deepEqual([status?.['messagesUndecided'], status?.['messagesDiscarded']], [0, 2])
  })
})
