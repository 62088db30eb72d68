import * as fc from 'fast-check'
import { interactions, type Change, type FhirResource } from '../../src/host/types.ts'
import type { SubscriptionTopic, TopicTrigger } from '../../src/triggers/subscription-topic.ts'
import { deepFreeze } from '../unit/triggers/fixtures.ts'

/** What happens to an index of topics. */
export type Operation =
  { readonly put: SubscriptionTopic } | { readonly remove: string } | { readonly change: Change }

/** What `resolve()` can find. */
export const storedResources: ReadonlyMap<string, FhirResource> = new Map(
  [
    {
      resourceType: 'Patient',
      id: 'a',
      active: true,
      gender: 'a',
      managingOrganization: { reference: 'Organization/o' },
    },
    { resourceType: 'Patient', id: 'b', active: false, gender: 'b' },
    { resourceType: 'Organization', id: 'o', active: true },
  ].map((resource) => [`${resource.resourceType}/${resource.id}`, deepFreeze(resource)]),
)

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

/** To what {@link storedResources} has, and to what it has not. */
const reference = fc.constantFrom(
  'a',
  'b',
  'Patient/a',
  'Patient/b',
  'Patient/gone',
  'http://x/Patient/a',
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
/** Around the limits of {@link limit}, and what is no number. Some differ by less than FHIRPath's precision. */
const number = fc.oneof(
  { weight: 9, arbitrary: fc.constantFrom(-5.4, -1, 0, 5, 5.4, 5.400_000_001, 5.400_000_1, 10) },
  { weight: 1, arbitrary: fc.constantFrom<unknown>('5.4', true, null) },
)
const quantity = fc.record(
  {
    value: number,
    _value: fc.constant({ id: 'x' }),
    unit: word,
    system: fc.constantFrom('http://unitsofmeasure.org', 'a'),
    code: fc.constantFrom('1', 'mg', 'a'),
  },
  { requiredKeys: [] },
)
const quantities = fc.record({ value: number }, { requiredKeys: [] })
const observation: fc.Arbitrary<FhirResource> = fc
  .record(
    {
      status: word,
      valueQuantity: fc.oneof(quantities, quantities, quantity),
      valueInteger: number,
      valueString: word,
      component: fc.array(
        fc.record(
          {
            code: fc.record({ coding: fc.array(coding, { maxLength: 2 }) }),
            valueQuantity: fc.oneof(quantities, quantity),
          },
          { requiredKeys: [] },
        ),
        { maxLength: 3 },
      ),
      effectiveDateTime: fc.constantFrom('2000-01-01', '2000'),
    },
    { requiredKeys: [] },
  )
  .map((elements) => ({ resourceType: 'Observation', id: 'a', ...elements }))
const patient: fc.Arbitrary<FhirResource> = fc
  .record(
    {
      gender: fc.oneof({ weight: 9, arbitrary: word }, fc.constantFrom('\n', '\\\n')),
      _gender: fc.constant({ id: 'x' }),
      active: fc.boolean(),
      birthDate: fc.constantFrom('2000-01-01', '2000'),
      name: fc.array(name, { maxLength: 3 }),
      maritalStatus: fc.record({ coding: fc.array(coding, { maxLength: 2 }) }),
      managingOrganization: fc.record({ reference }),
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
  ...['status', 'class.code', 'subject.reference', 'contentType'],
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
/** Both ask for the same strings, but only one of them wants there to be no other. */
const mixed = fc
  .tuple(source, literal, literal)
  .map(
    ([from, one, two]) =>
      `(${from}maritalStatus.coding.code = ${one} or ${from}maritalStatus.coding.exists(code = ${two}))`,
  )
const other = fc.constantFrom(
  ...['active', '%previous.empty()', 'birthDate = @2000-01-01', "gender in ('a' | 'b')", '{}'],
  ...['name.family and true', "name.first().given contains 'a'", "gender.matches('^a')", 'true'],
  ...['%previous.gender.exists()', '%previous.gender != %current.gender', '%current.empty()'],
)
const limit = fc.constantFrom(
  ...['0', '5', '5.4', '5.40', '5.4', '10', '-1', '-5.4', '(5)', '+5', '5.400000001', '5.40000011'],
  ...["'a'", '@2000-01-01', "5 'mg'", "5.4 '1'", '{}', '5.4 + 0', 'true'],
)
const valuePath = 'value.ofType(Quantity).value'
const numberPath = fc.oneof(
  fc.constantFrom(
    ...[valuePath, 'value', '`value`.value', 'value.as(Quantity).value', 'value.ofType(integer)'],
    ...['value.ofType(Quantity)', 'effective', 'birthDate', 'status', 'score.count()'],
  ),
  fc.constantFrom(
    ...[valuePath, 'score', 'part.score', 'component[0].value.value', 'component.value'],
    ...[`component.${valuePath}`, `component.${valuePath}`, 'component.value.value /* > 5 */'],
    ...['component.first().value.value', "component.where(code.coding.code = 'a').value.value"],
    'component.where(%previous.status = status).value.value',
  ),
)
const numberSource = fc.oneof({ weight: 9, arbitrary: source }, fc.constant('Observation.'))
const ordering = fc.constantFrom('<', '<=', '>', '>=')
const comparison = fc
  .tuple(numberSource, numberPath, ordering, limit, fc.nat(9))
  .map(([from, path, operator, than, form]) => {
    if (form === 0) return `${than} ${operator} ${from}${path}`
    if (form === 1) return `(${from}${path} ) ${operator} ${than}`
    if (form === 2) return `(${from}value as Quantity).value ${operator} ${than}`
    return `${from}${path} ${operator} ${than}`
  })
/** Limits of one number, and of another or not. */
const range = fc
  .tuple(
    numberSource,
    numberPath,
    fc.array(fc.tuple(ordering, limit), { minLength: 2, maxLength: 3 }),
  )
  .chain(([from, path, limits]) => {
    const parts = limits.map(([operator, than]) => `${from}${path} ${operator} ${than}`)
    return maybe(comparison).map((more) => [...parts, ...(more ? [more] : [])].join(' and '))
  })
const resolving = fc
  .tuple(
    fc.constantFrom('', '%current.', '%previous.'),
    fc.constantFrom('managingOrganization', 'subject', '(subject | managingOrganization)'),
    fc.constantFrom('active', "gender = 'a'", 'exists()', 'managingOrganization.resolve().active'),
  )
  .map(([from, path, end]) =>
    path.startsWith('(') ? `${path}.resolve().${end}` : `${from}${path}.resolve().${end}`,
  )
/** What was stored before there was a check. */
const invalid = fc.constant("gender = = 'a'")
const { criteria } = fc.letrec<{ criteria: string; leaf: string; joined: string }>((tie) => ({
  leaf: fc.oneof(
    { weight: 5, arbitrary: equality },
    { weight: 3, arbitrary: alternatives },
    { weight: 3, arbitrary: existence },
    { weight: 1, arbitrary: mixed },
    { weight: 2, arbitrary: other },
    { weight: 5, arbitrary: comparison },
    { weight: 2, arbitrary: range },
    { weight: 2, arbitrary: resolving },
    { weight: 1, arbitrary: invalid },
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

const encounter: fc.Arbitrary<FhirResource> = fc
  .record(
    {
      status: word,
      class: coding,
      subject: fc.record({ reference }),
      language: word,
      meta: fc.record({ profile: fc.array(word, { maxLength: 2 }) }),
    },
    { requiredKeys: [] },
  )
  .map((elements) => ({ resourceType: 'Encounter', id: 'a', ...elements }))
/** Not a DomainResource. */
const binary: fc.Arbitrary<FhirResource> = fc
  .record({ contentType: word, language: word }, { requiredKeys: [] })
  .map((elements) => ({ resourceType: 'Binary', id: 'b', ...elements }))
/** Unknown to R4. */
const custom: fc.Arbitrary<FhirResource> = fc
  .record(
    {
      status: word,
      gender: word,
      score: fc.oneof({ weight: 4, arbitrary: number }, fc.array(number, { maxLength: 2 })),
      _score: givenShadow,
      part: fc.record({ score: number }, { requiredKeys: [] }),
    },
    { requiredKeys: [] },
  )
  .map((elements) => ({ resourceType: 'Custom', id: 'c', ...elements }))

const versions = fc.oneof(
  { weight: 6, arbitrary: fc.tuple(patient, patient) },
  { weight: 3, arbitrary: fc.tuple(encounter, encounter) },
  { weight: 1, arbitrary: fc.tuple(binary, binary) },
  { weight: 2, arbitrary: fc.tuple(custom, custom) },
  { weight: 6, arbitrary: fc.tuple(observation, observation) },
)
const change: fc.Arbitrary<Operation> = fc
  .tuple(
    fc.constantFrom('create', 'update', 'update', 'delete'),
    versions,
    // Not every host knows it.
    fc.constantFrom(true, true, true, false),
  )
  .map(([interaction, [current, previous], isPreviousKnown]) => ({
    change: deepFreeze({
      interaction,
      resourceType: current.resourceType,
      id: current.id ?? '',
      ...(interaction === 'delete' ? {} : { current }),
      ...(interaction === 'create' || !isPreviousKnown ? {} : { previous }),
    }),
  }))

const trigger: fc.Arbitrary<TopicTrigger> = fc
  .record({
    resourceType: fc.constantFrom(
      ...['Patient', 'Patient', 'Patient', 'Encounter', 'Encounter', 'Binary', 'Custom'],
      ...['*', '*', 'DomainResource', 'Observation', 'Observation', 'Observation', 'Observation'],
    ),
    interactions: fc.oneof(
      { weight: 3, arbitrary: fc.constant(interactions) },
      fc.subarray([...interactions], { minLength: 1 }),
    ),
    text: fc.option(criteria, { nil: undefined, freq: 20 }),
  })
  .map(({ text, ...rest }) => (text === undefined ? rest : { ...rest, criteria: text }))

/** Few urls, so that topics are replaced and removed often. */
const url = fc.nat(14).map((n) => `topic-${n}`)
const put: fc.Arbitrary<Operation> = fc
  .tuple(url, fc.array(trigger, { minLength: 1, maxLength: 3 }))
  .map(([of, triggers]) => ({
    put: { reference: `AidboxSubscriptionTopic/${of}`, url: of, status: 'active', triggers },
  }))
const remove: fc.Arbitrary<Operation> = url.map((of) => ({ remove: of }))

export const operations: fc.Arbitrary<readonly Operation[]> = fc
  .tuple(
    fc.array(put, { minLength: 4, maxLength: 12 }),
    fc.array(
      fc.oneof(
        { weight: 8, arbitrary: change },
        { weight: 2, arbitrary: put },
        { weight: 2, arbitrary: remove },
      ),
      { minLength: 8, maxLength: 24 },
    ),
  )
  .map(([first, then]) => [...first, ...then])
