import type { FhirResource } from '../../src/host/types.ts'

/** A criteria that would run or grow without bounds, and what it is evaluated on. */
export interface HostileCriteria {
  readonly criteria: string
  /** Key of {@link hostileResources}. */
  readonly on: HostileResource
  /** Part of the sentence that says why it was stopped; absent: it ends by itself. */
  readonly stopped?: string
}

function patient(names: number): FhirResource & { id: string } {
  const name = Array.from({ length: names }, (_, i) => ({
    use: 'official',
    family: `${'a'.repeat(36)}!`,
    given: [`g${i}`, `h${i}`],
  }))
  return { resourceType: 'Patient', id: `patient-${names}`, name }
}

function observation(id: string, unit: string): FhirResource & { id: string } {
  const component = Array.from({ length: 3000 }, (_, i) => ({
    code: { text: 'x' },
    valueQuantity: { value: i, system: 'http://unitsofmeasure.org', code: `${unit}${i}` },
  }))
  return { resourceType: 'Observation', id, status: 'final', code: { text: 'x' }, component }
}

type HostileResource =
  'names' | 'manyNames' | 'tooManyNames' | 'text' | 'digits' | 'longUnits' | 'manyUnits'

export const hostileResources: Readonly<
  Record<HostileResource, FhirResource & { readonly id: string }>
> = {
  names: patient(50),
  manyNames: patient(4000),
  tooManyNames: patient(40_000),
  text: {
    resourceType: 'Binary',
    id: 'text',
    contentType: 'text/plain',
    data: 'a'.repeat(4_000_000),
  },
  digits: {
    resourceType: 'Binary',
    id: 'digits',
    contentType: 'text/plain',
    data: `${'1'.repeat(4_000_000)}x`,
  },
  longUnits: observation('long-units', 'm.'.repeat(90)),
  manyUnits: observation('many-units', 'zq'),
}

const periodic = `${'a'.repeat(1500)}b${'a'.repeat(1500)}`
const eight = '(1|2|3|4|5|6|7|8)'

/** All of them pass the check of a topic's criteria, except where the literals alone go on for ever. */
export const hostileCriteria: readonly HostileCriteria[] = [
  { on: 'names', criteria: "name.first().family.matches('^(a+)+$')" },
  {
    on: 'names',
    criteria: "name.where(%current.name.where(given = 'z').exists()).exists()",
    stopped: 'steps',
  },
  { on: 'manyNames', criteria: "name.where(given.first() = 'z').exists()", stopped: 'steps' },
  {
    on: 'names',
    criteria: `name${'.select(%current.name)'.repeat(4)}.count() = 1`,
    stopped: 'items',
  },
  { on: 'tooManyNames', criteria: 'name = name', stopped: 'items' },
  { on: 'tooManyNames', criteria: 'children().count() > 1', stopped: 'items' },
  { on: 'tooManyNames', criteria: 'descendants().count() > 1', stopped: 'items' },
  {
    on: 'manyNames',
    criteria: 'name.all(%current.descendants().count() > 1)',
    stopped: 'items',
  },
  { on: 'manyNames', criteria: '(name.given | name.family).exists()', stopped: 'compares' },
  { on: 'manyNames', criteria: '(name | name.given.first()).exists()', stopped: 'compares' },
  { on: 'manyNames', criteria: 'name.given.isDistinct()', stopped: 'compares' },
  { on: 'manyNames', criteria: 'name.exclude(name.given.first()).exists()', stopped: 'compares' },
  {
    on: 'manyNames',
    criteria: 'name.where(%current = %previous).exists()',
    stopped: 'compares',
  },
  {
    on: 'manyNames',
    criteria: 'name.where(%current ~ %previous).exists()',
    stopped: 'compares',
  },
  {
    on: 'manyNames',
    criteria: "name.select(%current.name.family.join(',')).exists()",
    stopped: 'string',
  },
  {
    on: 'names',
    criteria: `name.first().family${".replace('a','aaaaaaaaaaaaaaaa')".repeat(4)} = 'x'`,
    stopped: 'string',
  },
  { on: 'text', criteria: '(data & data).length() > 3', stopped: 'string' },
  { on: 'text', criteria: 'data.toChars().count() > 1', stopped: 'items' },
  { on: 'text', criteria: "data.split('a').count() > 1", stopped: 'items' },
  ...['startsWith', 'endsWith'].map((name) => ({
    on: 'text' as const,
    criteria: `${eight}.where(%current.data.${name}(%previous.data).not()).exists()`,
    stopped: 'characters',
  })),
  {
    on: 'text',
    criteria: `${eight}.where(%current.data > %previous.data).exists()`,
    stopped: 'compares',
  },
  { on: 'text', criteria: `data.contains('${periodic}')`, stopped: 'looks for' },
  { on: 'text', criteria: `data.indexOf('${periodic}') > 1`, stopped: 'looks for' },
  { on: 'text', criteria: `data.replace('${periodic}', 'x') = 'x'`, stopped: 'looks for' },
  {
    on: 'text',
    criteria: `data.matches('(a|b|c|d|e|f)*g')`,
    stopped: 'regular expressions',
  },
  {
    on: 'text',
    criteria: `${eight}.where(%current.data.upper().exists()).exists()`,
    stopped: 'string',
  },
  {
    on: 'digits',
    criteria: `${eight}.where(%current.data.toDecimal() > 1).exists()`,
    stopped: 'characters',
  },
  {
    on: 'longUnits',
    criteria: "component.where(value.ofType(Quantity) > 1 'mg').exists()",
    stopped: 'unit',
  },
  {
    on: 'manyUnits',
    criteria: "component.where(value.ofType(Quantity) > 1 'mg').exists()",
    stopped: 'units',
  },
]
