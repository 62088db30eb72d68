import { hostileCriteria, hostileResources } from '../../test/helpers/hostile-criteria.ts'
import { fhirPathEngine } from '../../src/triggers/criteria-engine.ts'
import { absoluteFigure, type Figure } from '../figures.ts'

const targetMs = 100

/** Longest evaluation of the hostile criteria of the tests, in milliseconds, and which it was. */
export async function benchHostile(options: { rounds: number }): Promise<Figure[]> {
  const times = new Map<string, number[]>()
  for (let round = -1; round < options.rounds; round++) {
    for (const { criteria, on } of hostileCriteria) {
      const current = hostileResources[on]
      const { resourceType, id } = current
      const compiled = fhirPathEngine.compile(criteria)
      const change = { interaction: 'update', resourceType, id, current } as const
      const beganAtMs = performance.now()
      compiled.evaluate({ ...change, previous: { ...current, language: 'en' } }, new Map())
      const elapsedMs = performance.now() - beganAtMs
      if (round >= 0) times.set(criteria, [...(times.get(criteria) ?? []), elapsedMs])
      // Garbage of one must not be collected on the account of the next.
      await new Promise(setImmediate)
    }
  }
  const figures = [...times].map(([criteria, values]) =>
    absoluteFigure({
      suite: 'triggers',
      name: `block-hostile ${criteria.slice(0, 40)}`,
      unit: 'ms',
      values,
      target: targetMs,
    }),
  )
  return figures.toSorted((a, b) => b.value - a.value).slice(0, 1)
}
