import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import type { Change } from '../../../src/host/types.ts'
import { fhirPathEngine, type CriteriaEngine } from '../../../src/triggers/criteria-engine.ts'
import { PathNumbers } from '../../../src/triggers/path-numbers.ts'
import { SortedThresholds } from '../../../src/triggers/sorted-thresholds.ts'
import { parseSubscriptionTopic } from '../../../src/triggers/subscription-topic.ts'
import type { NumberAtPath, Threshold } from '../../../src/triggers/thresholds.ts'
import { TopicIndex } from '../../../src/triggers/topic-index.ts'

describe('thresholds of a criteria', () => {
  const quantity = 'value.ofType(Quantity).value'
  const cases: readonly [text: string, isExact: boolean, ...thresholds: string[]][] = [
    [`${quantity} > 5.40`, true, `${quantity} > 5.4`],
    [`5 >= %current.${quantity}`, true, `%current.${quantity} <= 5`],
    ['(a.b ) < -3', true, '(a.b ) < -3'],
    ['(value as Quantity).value > (+1)', true, '(value as Quantity).value > 1'],
    ['a /* > 1 */ . b // < 2\n >= 3', true, 'a /* > 1 */ . b // < 2 >= 3'],
    [
      "status = 'final' and (component.where(code.coding.code = 'x').value.value > 140)",
      true,
      "component.where(code.coding.code = 'x').value.value > 140",
    ],
    ['a > 1 and a < 5', true, 'a > 1', 'a < 5'],
    ['a > 1 and b.exists() and a.first() < 5', false, 'a > 1'],
    ['a > 1 or a < 0', false],
    ['(a > 1).not()', false],
    ['a > b', false],
    ["a > 5 'mg'", false],
    ['birthDate > @2000-01-01', false],
    ['1 > 0', false],
    ['a + 1 > 5', false],
    ['a.count() > 5', false],
    ['a.resolve().b > 5', false],
    ['a.where(b.resolve().active).c > 5', false],
    ['a > 1 > 0', false],
  ]
  for (const [text, isExact, ...expected] of cases) {
    it(text, () => {
      const { thresholds, ...guards } = fhirPathEngine.compile(text).guards('Observation')
      assert.equal(guards.isExact, isExact)
      assert.deepEqual(
        thresholds.map(({ path, operator, limit }) => `${path} ${operator} ${limit}`),
        expected,
      )
    })
  }
})

const observation = (elements: object, interaction: Change['interaction'] = 'create'): Change => {
  const resource = { resourceType: 'Observation', id: '1', ...elements }
  return {
    interaction,
    resourceType: 'Observation',
    id: '1',
    ...(interaction === 'delete' ? { previous: resource } : { current: resource }),
  }
}

describe('the number at a path', () => {
  const path = 'value.ofType(Quantity).value'
  const cases: readonly [name: string, of: Change, path: string, expected: string | number][] = [
    ['a number', observation({ valueQuantity: { value: 5.4 } }), path, 5.4],
    ['an integer', observation({ valueInteger: 3 }), 'value', 3],
    ['no element', observation({}), path, 'none'],
    ['another type', observation({ valueString: 'a' }), path, 'none'],
    ['a delete', observation({ valueQuantity: { value: 5.4 } }, 'delete'), path, 'none'],
    ['a string', observation({ valueString: '5' }), 'value', 'unclear'],
    ['a Quantity', observation({ valueQuantity: { value: 5 } }), 'value', 'unclear'],
    ['several numbers', observation({ x: [1, 2] }), 'x', 'unclear'],
    ['an extension only', observation({ _x: { id: 'a' } }), 'x', 'unclear'],
    ['a number for a date', observation({ issued: 5 }), 'issued', 'unclear'],
    ['a failure', observation({ x: [1, 2] }), 'x.single()', 'unclear'],
    ['what costs too much', observation({ x: Array(60_000).fill({ y: 1 }) }), 'x.y', 'unclear'],
  ]
  for (const [name, of, at, expected] of cases) {
    it(`${name}: ${expected}`, () => {
      const number = new PathNumbers(of).at(at)
      if (typeof expected === 'number') {
        assert.ok(typeof number !== 'string' && number.compare(expected) === 0)
      } else assert.equal(number, expected)
    })
  }

  it('is read of 100 paths at most', () => {
    const numbers = new PathNumbers(observation({ x: 1 }))
    for (let n = 0; n < 100; n++) assert.equal(numbers.at(`y${n}`), 'none')
    assert.equal(numbers.at('x'), 'unclear')
    assert.equal(numbers.at('y0'), 'none')
  })

  it('is read of no more paths when they have taken the steps of one criteria', () => {
    const numbers = new PathNumbers(observation({ x: Array(4000).fill({ y: 1 }), z: 1 }))
    assert.equal(numbers.at('z'), numbers.at('z'))
    assert.equal(numbers.at('x.where(y = 1 and y = 1 and y = 1).y'), 'unclear')
    assert.equal(numbers.at('%current.z'), 'unclear')
  })
})

describe('SortedThresholds', () => {
  const limits = [3, -1, 5, 3, 0, 5.4]
  const all: readonly Threshold[] = (['<', '<=', '>', '>='] as const).flatMap((operator) =>
    limits.map((limit) => ({ path: 'x', operator, limit })),
  )
  const compares: Readonly<Record<string, (number: number, limit: number) => boolean>> = {
    '<': (number, limit) => number < limit,
    '<=': (number, limit) => number <= limit,
    '>': (number, limit) => number > limit,
    '>=': (number, limit) => number >= limit,
  }
  const numberOf = (value: number): NumberAtPath => ({ compare: (other) => value - other })

  for (const value of [-2, -1, 0, 1, 3, 5, 5.2, 5.4, 6]) {
    it(`finds what ${value} meets, also after some have gone`, () => {
      const sorted = new SortedThresholds<Threshold>()
      for (const each of all) sorted.add(each, each)
      const expectFound = (among: readonly Threshold[]): void => {
        const wanted = among.filter(({ operator, limit }) => compares[operator]?.(value, limit))
        assert.deepEqual(new Set(sorted.met(numberOf(value))), new Set(wanted))
        assert.equal([...sorted.met(numberOf(value))].length, wanted.length)
      }
      expectFound(all)
      const gone = all.filter((_, n) => n % 3 === 0)
      for (const each of gone) sorted.remove(each, each)
      expectFound(all.filter((each) => !gone.includes(each)))
      for (const each of all) sorted.remove(each, each)
      assert.ok(sorted.isEmpty)
    })
  }

  it('finds all when it is not clear what the number is, and none without one', () => {
    const sorted = new SortedThresholds<Threshold>()
    for (const each of all) sorted.add(each, each)
    assert.deepEqual(new Set(sorted.met('unclear')), new Set(all))
    assert.deepEqual([...sorted.met('none')], [])
  })
})

describe('TopicIndex with thresholds', () => {
  const evaluated: string[] = []
  const counting: CriteriaEngine = {
    compile(text) {
      const criteria = fhirPathEngine.compile(text)
      return {
        facts: () => criteria.facts(),
        guards: (resourceType) => criteria.guards(resourceType),
        evaluate(of, resolved) {
          evaluated.push(text)
          return criteria.evaluate(of, resolved)
        },
      }
    },
  }
  const index = new TopicIndex(counting)
  const put = (url: string, fhirPathCriteria: string): void => {
    const trigger = [{ resource: 'Observation', fhirPathCriteria }]
    const topic = { resourceType: 'AidboxSubscriptionTopic', id: url, url, status: 'active' }
    index.put(parseSubscriptionTopic({ ...topic, trigger }))
  }
  for (let n = 0; n < 1000; n++) put(`>${n}`, `%current.value.ofType(Quantity).value > ${n}`)
  put('final', "status = 'final' and %current.value.ofType(Quantity).value <= 3")
  put('other', '%current.value.ofType(Quantity).value < 3 and code.exists()')

  const match = (elements: object): { fired: string[]; undecided: number; evaluated: number } => {
    evaluated.length = 0
    const { fired, undecided } = index.match(observation(elements))
    return {
      fired: fired.toSorted(),
      undecided: undecided.length,
      evaluated: evaluated.length,
    }
  }
  const valueQuantity = (value: unknown): object => ({ valueQuantity: { value } })

  it('evaluates no criteria that is a comparison with a number', () => {
    assert.deepEqual(match({ ...valueQuantity(3), status: 'final' }), {
      fired: ['>0', '>1', '>2', 'final'],
      undecided: 0,
      evaluated: 0,
    })
    assert.deepEqual(match({}), { fired: [], undecided: 0, evaluated: 0 })
  })

  it('evaluates what has another part, when the number meets the limit', () => {
    const code = { text: 'x' }
    assert.deepEqual(match({ ...valueQuantity(3), code }).evaluated, 0)
    assert.deepEqual(match({ ...valueQuantity(1), code }), {
      fired: ['>0', 'other'],
      undecided: 0,
      evaluated: 1,
    })
  })

  it('leaves to the engine what is not one number', () => {
    const { fired, undecided, evaluated: evaluations } = match(valueQuantity('5'))
    assert.deepEqual(
      { fired, undecided, evaluations },
      {
        fired: [],
        undecided: 1001,
        evaluations: 1001,
      },
    )
  })
})
