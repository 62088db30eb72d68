import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import * as fc from 'fast-check'
import type { Change, FhirResource } from '../../src/host/types.ts'
import { fhirPathEngine, type CriteriaEngine } from '../../src/triggers/criteria-engine.ts'
import { TopicIndex } from '../../src/triggers/topic-index.ts'

/** Small alphabets, so that random criteria and random changes meet often. */
const word = fc.constantFrom('a', 'b', 'c')
const maybe = <T>(value: fc.Arbitrary<T>): fc.Arbitrary<T | undefined> =>
  fc.option(value, { nil: undefined, freq: 3 })
const source = fc.constantFrom(
  ...['', '', 'Patient.', '%current.', '%current.', '%previous.', '%previous.'],
  ...['%resource.', '`Patient`.', '%`previous`.', '%current.Patient.', 'Resource.'],
)

/** The same words as a criteria may spell them, and one that only looks like an escape. */
const literal = fc.constantFrom(
  ...["'a'", "'b'", "'c'", "'a'", "'b'", String.raw`'\u0061'`, String.raw`'\b'`, "'\\\n'", "('a')"],
)

const coding = fc.record({ system: maybe(word), code: maybe(word) }, { requiredKeys: [] })
const givenShadow = fc.array(fc.constantFrom(null, { id: 'x' }), { maxLength: 3 })
const name = fc.record(
  {
    use: word,
    family: word,
    given: fc.array(fc.oneof({ weight: 5, arbitrary: word }, fc.constant(null)), { maxLength: 3 }),
    _given: givenShadow,
  },
  { requiredKeys: [] },
)
const patient: fc.Arbitrary<FhirResource> = fc
  .record(
    {
      gender: fc.oneof({ weight: 9, arbitrary: word }, fc.constantFrom('\n', '\\\n')),
      _gender: fc.constant({ id: 'x' }),
      active: fc.boolean(),
      birthDate: fc.constantFrom('2000-01-01', '2000'),
      name: fc.array(name, { maxLength: 3 }),
      maritalStatus: fc.record({ coding: fc.array(coding, { maxLength: 2 }) }),
      managingOrganization: fc.record({ reference: word }),
      language: word,
      meta: fc.record({ profile: fc.array(word, { maxLength: 2 }) }),
      extension: fc.array(fc.record({ url: word, valueCode: word }), { maxLength: 2 }),
      contained: fc.array(fc.record({ resourceType: fc.constant('Basic'), id: word }), {
        maxLength: 2,
      }),
    },
    { requiredKeys: [] },
  )
  .map((elements) => ({ resourceType: 'Patient', id: 'a', ...elements }))

const stringPath = fc.constantFrom(
  ...['gender', 'language', 'id', 'name.family', 'name.use', 'name.given', '(name).family'],
  ...['maritalStatus.coding.code', 'managingOrganization.reference', 'maritalStatus.text'],
  ...[
    'meta.profile',
    'extension.url',
    'extension.value',
    'contained.id',
    '`gender`',
    'name[0].use',
  ],
)
const equality = fc
  .tuple(source, stringPath, literal, fc.constantFrom('=', '=', '=', '!=', '~'), fc.boolean())
  .map(([from, path, value, operator, isTurned]) => {
    const full = path.startsWith('(') && from !== '' ? `(${from}name).family` : `${from}${path}`
    return isTurned ? `${value} ${operator} ${full}` : `${full} ${operator} ${value}`
  })
const alternatives = fc
  .tuple(source, stringPath, fc.array(literal, { minLength: 2, maxLength: 3 }))
  .map(([from, path, literals]) => {
    const full = `${from}${path.replace('(name)', 'name')}`
    return `(${literals.map((value) => `${full} = ${value}`).join(' or ')})`
  })
const condition = fc
  .array(
    fc.oneof(
      fc
        .tuple(fc.constantFrom('code', 'system'), literal)
        .map(([path, value]) => `${path} = ${value}`),
      fc.constantFrom(
        'code.exists()',
        "%previous.gender = 'a'",
        "'b' = code",
        '$this.code.empty()',
      ),
    ),
    { minLength: 1, maxLength: 3 },
  )
  .map((parts) => parts.join(' and '))
const existence = fc
  .tuple(source, condition, fc.boolean(), fc.constantFrom('', '.not()'))
  .map(([from, inner, hasWhere, end]) =>
    hasWhere
      ? `${from}maritalStatus.coding.where(${inner}).exists()${end}`
      : `${from}maritalStatus.coding.exists(${inner})${end}`,
  )
const other = fc.constantFrom(
  ...['active', '%previous.empty()', 'birthDate = @2000-01-01', "gender in ('a' | 'b')", '{}'],
  ...['name.family and true', "name.first().given contains 'a'", "gender.matches('^a')", 'true'],
)
const { criteria } = fc.letrec<{ criteria: string; leaf: string; joined: string }>((tie) => ({
  leaf: fc.oneof(
    { weight: 5, arbitrary: equality },
    { weight: 3, arbitrary: alternatives },
    { weight: 3, arbitrary: existence },
    other,
  ),
  joined: fc
    .tuple(
      tie('criteria'),
      fc.constantFrom('and', 'and', 'and', 'or', 'or', 'xor', 'implies'),
      tie('criteria'),
    )
    .map(([left, operator, right]) => `(${left}) ${operator} (${right})`),
  criteria: fc.oneof({ depthSize: 'small', maxDepth: 3 }, tie('leaf'), tie('joined')),
}))

const change: fc.Arbitrary<Change> = fc
  .record({
    interaction: fc.constantFrom('create', 'update', 'update', 'delete'),
    current: patient,
    previous: patient,
  })
  .map(({ interaction, current, previous }) => ({
    interaction,
    resourceType: 'Patient',
    id: 'a',
    ...(interaction === 'delete' ? {} : { current }),
    ...(interaction === 'create' ? {} : { previous }),
  }))

interface Round {
  texts: string[]
  changes: Change[]
  removed: number
}
const round: fc.Arbitrary<Round> = fc.record({
  texts: fc.array(criteria, { minLength: 1, maxLength: 20 }),
  changes: fc.array(change, { minLength: 1, maxLength: 8 }),
  removed: fc.nat(19),
})

/** What the index and plain evaluation of every criteria disagree on; also how often a criteria fired. */
function disagreements(
  { texts, changes, removed }: Round,
  engine: CriteriaEngine,
): { wrong: string[]; hits: number } {
  const index = new TopicIndex(engine)
  for (const [i, criteriaText] of texts.entries()) {
    index.put({
      reference: `AidboxSubscriptionTopic/${i}`,
      url: `${i}`,
      status: 'active',
      triggers: [
        {
          resourceType: i % 5 === 0 ? '*' : 'Patient',
          interactions: ['create', 'update', 'delete'],
          criteria: criteriaText,
        },
      ],
    })
  }
  index.remove(`${removed}`)
  const wrong: string[] = []
  let hits = 0
  for (const each of changes) {
    const result = index.match(each)
    const fired = new Set(result.fired)
    const undecided = new Set(result.undecided.map(({ topicUrl }) => topicUrl))
    for (const [i, criteriaText] of texts.entries()) {
      const plain = fhirPathEngine.compile(criteriaText).evaluate(each, new Map())
      const fires = i !== removed && plain.kind === 'decided' && plain.fires
      if (fires) hits++
      // Where plain evaluation fails, the index may decide without reaching the failing part, but only against firing.
      const isWrong =
        fired.has(`${i}`) !== fires || (undecided.has(`${i}`) && plain.kind !== 'undecided')
      if (isWrong) wrong.push(`${criteriaText} on ${JSON.stringify(each)}`)
    }
  }
  return { wrong, hits }
}

const seed = Number(process.env['FUZZ_SEED'] ?? Date.now() % 2 ** 31)
const numRuns = Number(process.env['FUZZ_RUNS'] ?? 150)

describe(`TopicIndex against plain evaluation (FUZZ_SEED=${seed})`, () => {
  it('fires the same topics', () => {
    let hits = 0
    fc.assert(
      fc.property(round, (input) => {
        const result = disagreements(input, fhirPathEngine)
        hits += result.hits
        assert.deepEqual(result.wrong, [])
      }),
      { seed, numRuns },
    )
    assert.ok(hits > numRuns, `only ${hits} hits in ${numRuns} runs: the inputs do not meet`)
  })

  const bugs: [name: string, engine: CriteriaEngine][] = [
    [
      'a guard that forgets an alternative',
      withGuards((guards) => ({
        ...guards,
        guards: guards.guards.map((guard) => ({ ...guard, values: guard.values.slice(0, 1) })),
      })),
    ],
    [
      'equalities taken for the whole criteria',
      withGuards((guards) => ({ ...guards, isExact: guards.guards.length > 0 })),
    ],
    [
      'a guard on the other version',
      withGuards((guards) => ({
        ...guards,
        guards: guards.guards.map((guard) => ({ ...guard, source: 'current' as const })),
      })),
    ],
  ]
  for (const [bug, engine] of bugs) {
    it(`would find ${bug}`, () => {
      const outcome = fc.check(
        fc.property(round, (input) => disagreements(input, engine).wrong.length === 0),
        { seed, numRuns, endOnFailure: true },
      )
      assert.ok(outcome.failed, 'the planted bug was not found')
    })
  }
})

type Guards = ReturnType<ReturnType<CriteriaEngine['compile']>['guards']>

/** The real engine with a bug planted in its guards. */
function withGuards(plant: (guards: Guards) => Guards): CriteriaEngine {
  return {
    compile(text) {
      const real = fhirPathEngine.compile(text)
      return {
        guards: (resourceType) => plant(real.guards(resourceType)),
        evaluate: (of, resolved) => real.evaluate(of, resolved),
      }
    },
  }
}
