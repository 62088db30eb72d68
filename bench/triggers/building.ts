import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'
import { matchChanges } from '../../src/triggers/match-changes.ts'
import type { SubscriptionTopic } from '../../src/triggers/subscription-topic.ts'
import { TopicIndex } from '../../src/triggers/topic-index.ts'
import { absoluteFigure, type Figure } from '../figures.ts'
import { longestBlockMs } from './event-loop.ts'
import { scenarios, scenarioTopic, scenarioTopics, update } from './scenarios.ts'

const topicCount = 10_000
const targetHeapMb = 60
const targetBlockMs = 20

/** Heap of an index of 10,000 topics, and how long the event loop stands still while it is built, while one topic changes, and at the
 *  first change of a type when all topics are on every type. */
export async function benchBuilding(options: { rounds: number }): Promise<Figure[]> {
  const heap = new Map<string, number[]>()
  const blocks = new Map<string, number[]>()
  for (let round = -1; round < options.rounds; round++) {
    for (const scenario of scenarios) {
      const measured = await measureBuild(scenario, String(round))
      if (round < 0) continue
      note(heap, `heap-${scenario}`, measured.builtMb)
      note(heap, `heap-${scenario}-after-a-change`, measured.matchedMb)
      note(blocks, `block-build-${scenario}`, measured.buildMs)
      note(blocks, `block-topic-change-${scenario}`, measured.changeMs)
    }
    const firstMs = await measureFirstChange()
    if (round >= 0) note(blocks, 'block-first-change-of-a-type', firstMs)
  }
  return [
    ...[...heap].map(([name, values]) =>
      absoluteFigure({
        suite: 'triggers',
        name,
        unit: 'MB',
        values,
        ...(name.endsWith('-after-a-change') ? {} : { target: targetHeapMb }),
      }),
    ),
    ...[...blocks].map(([name, values]) =>
      absoluteFigure({ suite: 'triggers', name, unit: 'ms', values, target: targetBlockMs }),
    ),
  ]
}

async function measureBuild(
  scenario: string,
  version: string,
): Promise<{
  builtMb: number
  matchedMb: number
  buildMs: number
  changeMs: number
}> {
  const topics = scenarioTopics(scenario, topicCount)
  const before = heapMb()
  const index = new TopicIndex()
  const buildMs = await longestBlockMs(() => index.update([], topics))
  const builtMb = heapMb() - before
  index.match(update)
  const matchedMb = heapMb() - before
  const changed = scenarioTopic(scenario, topicCount / 2, version)
  const changeMs = await longestBlockMs(() => index.update([], [changed]))
  return { builtMb, matchedMb, buildMs, changeMs }
}

async function measureFirstChange(): Promise<number> {
  const index = new TopicIndex()
  await index.update([], wideTopics())
  return longestBlockMs(() => matchChanges(index, [update], undefined, undefined))
}

/** On every type. */
function wideTopics(): SubscriptionTopic[] {
  return scenarioTopics('s2-distinct-equalities', topicCount).map((topic) => ({
    ...topic,
    triggers: topic.triggers.map((trigger) => ({ ...trigger, resourceType: '*' })),
  }))
}

function note(values: Map<string, number[]>, name: string, value: number): void {
  const known = values.get(name)
  if (known) known.push(value)
  else values.set(name, [value])
}

setFlagsFromString('--expose_gc')
const collectGarbage = runInNewContext('gc') as () => void

function heapMb(): number {
  // What one collection leaves to finalizers, the next one takes.
  for (let n = 0; n < 3; n++) collectGarbage()
  return process.memoryUsage().heapUsed / 1e6
}
