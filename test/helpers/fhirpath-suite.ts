import { readFile } from 'node:fs/promises'
import { evaluate } from 'fhirpath'
import r4 from 'fhirpath/fhir-context/r4'
import type { FhirResource } from '../../src/host/types.ts'
import { checkTopicTriggers } from '../../src/triggers/check-topic-triggers.ts'
import { plainValue } from '../../src/triggers/criteria-functions.ts'
import { compileExpression } from '../../src/triggers/expression.ts'
import { References } from '../../src/triggers/references.ts'

/** One test of HL7's suite (`fixtures/fhirpath/README.md`). */
export interface SuiteTest {
  readonly group: string
  readonly name: string
  /** Key of the inputs; '' for none. */
  readonly input: string
  readonly expression: string
  /** An error is expected. */
  readonly invalid?: 'syntax' | 'semantic' | 'execution'
  /** What counts is whether there is a result. */
  readonly predicate?: boolean
  readonly ordered?: boolean
  readonly output: readonly (readonly [type: string, text: string])[]
}

export interface SuiteResult {
  readonly test: SuiteTest
  /** `refused`: the check of criteria does not let the expression be written. */
  readonly outcome: 'passed' | 'refused' | 'differs'
  /** Why it is refused, or what the result is. */
  readonly because: string
  /** Passed, or fhirpath.js by itself gives what the suite wants. */
  readonly passesPlainly: boolean
}

/** Runs HL7's suite through the check of criteria and the engine that evaluates them. */
export async function runFhirPathSuite(): Promise<readonly SuiteResult[]> {
  const tests = await readJson<SuiteTest[]>('tests-fhir-r4.json')
  const inputs = await readJson<Record<string, FhirResource>>('inputs.json')
  return tests.map((test) => {
    const input = inputs[test.input]
    if (!input && test.input !== '') throw new Error(`there is no input ${test.input}`)
    const own = runTest(test, input)
    const plainly = (): Result => attempt(() => evaluatePlainly(test.expression, input))
    return {
      ...own,
      test,
      passesPlainly: own.outcome === 'passed' || isWanted(test, plainly()),
    }
  })
}

async function readJson<T>(file: string): Promise<T> {
  const url = new URL(`../../fixtures/fhirpath/${file}`, import.meta.url)
  return JSON.parse(await readFile(url, 'utf8')) as T
}

function runTest(
  test: SuiteTest,
  input: FhirResource | undefined,
): Pick<SuiteResult, 'outcome' | 'because'> {
  const fault = faultOf(test.expression, input)
  if (fault !== undefined) {
    return { outcome: test.invalid === undefined ? 'refused' : 'passed', because: fault }
  }
  const result = attempt(() => {
    const expression = compileExpression(test.expression)
    const change = { interaction: 'create', resourceType: '', id: '' } as const
    return expression.evaluate(
      input ? { ...change, current: input } : change,
      new References(new Map()),
      expression.fuel(),
    )
  })
  return { outcome: isWanted(test, result) ? 'passed' : 'differs', because: describeResult(result) }
}

/** What the check of a criteria says against it. */
function faultOf(expression: string, input: FhirResource | undefined): string | undefined {
  const trigger = [{ resource: input?.resourceType ?? 'Resource', fhirPathCriteria: expression }]
  const issues = checkTopicTriggers({ resourceType: 'AidboxSubscriptionTopic', trigger })
  return issues.find(({ severity }) => severity === 'error')?.details?.text
}

function evaluatePlainly(expression: string, input: FhirResource | undefined): readonly unknown[] {
  const variables = { sct: 'http://snomed.info/sct', loinc: 'http://loinc.org' }
  const options = { resolveInternalTypes: false, traceFn: () => undefined }
  return evaluate(input ?? [], expression, variables, r4, options) as unknown[]
}

type Result = { readonly items: readonly unknown[] } | { readonly error: unknown }

function attempt(run: () => readonly unknown[]): Result {
  try {
    return { items: run() }
  } catch (error) {
    return { error }
  }
}

function isWanted(test: SuiteTest, result: Result): boolean {
  if (test.invalid !== undefined) return 'error' in result
  if ('error' in result) return false
  const found = result.items.map(plainValue)
  const [only, ...others] = found
  const values =
    test.predicate && !(others.length === 0 && typeof only === 'boolean')
      ? [found.length > 0]
      : found
  if (values.length !== test.output.length) return false
  const open = [...values]
  return test.output.every(([type, text], index) => {
    const at = test.ordered === false ? open.findIndex((each) => isSame(each, type, text)) : index
    if (at < 0) return false
    return test.ordered === false ? open.splice(at, 1).length === 1 : isSame(open[at], type, text)
  })
}

/** Numbers by value, dates and times also by the instant. */
function isSame(value: unknown, type: string, text: string): boolean {
  const found = textOf(value)
  const isNumber = type === 'integer' || type === 'decimal' || (type === '' && !text.includes('@'))
  if (isNumber && Number(found) === Number(text)) return true
  const wanted = text.replace(/^@T?/, '')
  if (found.replace(/^T/, '') === wanted || found === text) return true
  return type === 'dateTime' && Date.parse(found) === Date.parse(wanted)
}

/** fhirpath.js's dates, times, quantities and types. */
interface ComputedValue {
  toString(): string
}

function textOf(value: unknown): string {
  if (typeof value === 'object' && value !== null) {
    return Object.getPrototypeOf(value) === Object.prototype
      ? jsonText(value)
      : (value as ComputedValue).toString()
  }
  return String(value)
}

function jsonText(value: object): string {
  const { value: number, code, unit } = value as Readonly<Record<string, unknown>>
  return typeof number === 'number' ? `${number} '${String(code ?? unit)}'` : JSON.stringify(value)
}

function describeResult(result: Result): string {
  if ('error' in result) return 'an error'
  return result.items.length === 0
    ? 'nothing'
    : result.items.map((item) => textOf(plainValue(item))).join(', ')
}
