import { isDeepStrictEqual } from 'node:util'
import { TopicIndex } from '../../src/triggers/topic-index.ts'
import { absoluteFigure, ratioFigure, type Figure } from '../figures.ts'
import { inTurns } from '../in-turns.ts'
import { naiveFhirPath, naiveMedplum, type Match } from './naive.ts'
import { scenarios, scenarioTopics, update } from './scenarios.ts'

const sizes = [10, 1000, 10_000]
/** Long enough to be timed, for what takes microseconds. */
const sampleMs = 20

/** Largest time of one change, in microseconds. */
const targetsUs: Readonly<Record<string, number>> = {
  's1-200-criteria-10000': 200,
  's2-distinct-equalities-10000': 5,
  's3-distinct-thresholds-10000': 100,
}
/** Least gain over fhirpath.js on every topic. */
const targetGains: Readonly<Record<string, number>> = { 's1-200-criteria-10000': 300 }
/** Largest growth from 10 to 10,000 topics. */
const targetGrowths: Readonly<Record<string, number>> = { 's1b-200-criteria-10-types': 10 }

const matchers = ['index', 'fhirpath.js', '@medplum/core'] as const

/** Time of one change, in microseconds, against 10, 1,000 and 10,000 topics: by the index, and by evaluating every criteria of every topic. */
export async function benchMatching(options: { rounds: number }): Promise<Figure[]> {
  const figures: Figure[] = []
  for (const scenario of scenarios) figures.push(...(await benchScenario(scenario, options.rounds)))
  return figures
}

async function benchScenario(scenario: string, rounds: number): Promise<Figure[]> {
  const matches = new Map<string, Match>()
  for (const size of sizes) {
    const made = await makeMatchers(scenario, size)
    for (const matcher of matchers) matches.set(`${matcher} ${size}`, made[matcher])
  }
  const times = await inTurns([...matches.keys()], { rounds, warmUp: 1 }, (variant) =>
    Promise.resolve(microsecondsOf(matches.get(variant) as Match)),
  )
  const timesOf = (matcher: string, size: number): readonly number[] =>
    times[`${matcher} ${size}`] ?? []
  const figures = sizes.flatMap((size) => {
    const name = `${scenario}-${size}`
    const own = timesOf('index', size)
    return [
      figure(name, 'µs', own, targetsUs[name]),
      ...matchers.slice(1).map((matcher) =>
        ratioFigure({
          suite: 'triggers',
          name: `${name} by ${matcher}`,
          unit: 'µs',
          baseline: 'index',
          values: timesOf(matcher, size),
          baselines: own,
          ...(matcher === 'fhirpath.js' && targetGains[name] !== undefined
            ? { target: targetGains[name] }
            : {}),
        }),
      ),
    ]
  })
  const [fewest, most] = [timesOf('index', 10), timesOf('index', 10_000)]
  const growth = most.map((time, round) => time / (fewest[round] ?? Number.NaN))
  return [...figures, figure(`${scenario}-growth`, 'times', growth, targetGrowths[scenario])]
}

async function makeMatchers(
  scenario: string,
  size: number,
): Promise<Readonly<Record<(typeof matchers)[number], Match>>> {
  const topics = scenarioTopics(scenario, size)
  const index = new TopicIndex()
  await index.update([], topics)
  const made = {
    index: ((change) => index.match(change).fired) as Match,
    'fhirpath.js': naiveFhirPath(topics),
    '@medplum/core': naiveMedplum(topics),
  }
  const fired = matchers.map((matcher) => made[matcher](update).toSorted())
  if (!fired.every((urls) => isDeepStrictEqual(urls, fired[0]))) {
    throw new Error(`${scenario}: the matchers fire other topics`)
  }
  return made
}

/** Per call, over as many calls as the sample has time for. */
function microsecondsOf(match: Match): number {
  const beganAtMs = performance.now()
  let calls = 0
  let elapsedMs: number
  do {
    match(update)
    calls++
    elapsedMs = performance.now() - beganAtMs
  } while (elapsedMs < sampleMs)
  return (elapsedMs / calls) * 1000
}

function figure(
  name: string,
  unit: string,
  values: readonly number[],
  target: number | undefined,
): Figure {
  return absoluteFigure({
    suite: 'triggers',
    name,
    unit,
    values,
    ...(target === undefined ? {} : { target }),
  })
}
