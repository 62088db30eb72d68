import { OperationOutcomeError } from '@medplum/core'
import type { OperationDefinition, OperationOutcomeIssue, Parameters } from '@medplum/fhirtypes'
import type { FhirResource } from '../host/types.ts'
import { dateTimePattern } from '../resources/date-time.ts'
import { refusal } from '../resources/issue.ts'
import { isJsonObject, type JsonObject } from '../resources/json-shapes.ts'
import { toDateRange } from '../rest/search/date-range.ts'

export function unprocessable(...issue: OperationOutcomeIssue[]): OperationOutcomeError {
  return new OperationOutcomeError({
    resourceType: 'OperationOutcome',
    id: 'unprocessable-entity',
    issue,
  })
}

/** FHIRPath of a parameter of the request. */
export function pathOf(name: string): string {
  return `Parameters.parameter.where(name = '${name}')`
}

/** 422 that names a parameter. */
export function refusedParameter(
  name: string,
  code: IssueCode,
  text: string,
): OperationOutcomeError {
  return unprocessable(refusal(code, text, pathOf(name)))
}

type IssueCode = NonNullable<OperationOutcomeIssue['code']>

/** Names of the parameters that a request may have. */
export function inputNames({ parameter = [] }: OperationDefinition): readonly string[] {
  return parameter.filter(({ use }) => use === 'in').map(({ name }) => name)
}

const valueKeys = {
  code: ['valueCode', 'valueString'],
  // Answers have numbers of events as decimals: integers of FHIR end at 2^31.
  number: ['valueInteger', 'valuePositiveInt', 'valueUnsignedInt', 'valueDecimal'],
  time: ['valueInstant', 'valueDateTime', 'valueDate'],
} as const

/** The parameters of a request, read once. */
export class OperationInput {
  readonly #parameters = new Map<string, JsonObject>()

  /** @param names those that the operation has
   *  @throws OperationOutcomeError 422 for any other, and for one that is there twice */
  constructor(input: Parameters | undefined, names: readonly string[]) {
    const given: unknown = input?.parameter ?? []
    for (const parameter of Array.isArray(given) ? (given as unknown[]) : [given]) {
      const name = isJsonObject(parameter) ? parameter['name'] : undefined
      if (!isJsonObject(parameter) || typeof name !== 'string' || !names.includes(name)) {
        const text = `Write parameters of these names: ${names.join(', ')}.`
        throw unprocessable(refusal('not-supported', text, 'Parameters.parameter'))
      }
      if (this.#parameters.has(name)) {
        throw refusedParameter(name, 'invalid', `Write ${name} once.`)
      }
      this.#parameters.set(name, parameter)
    }
  }

  has(name: string): boolean {
    return this.#parameters.has(name)
  }

  /** @throws OperationOutcomeError 422 when it is something else */
  resource(name: string): FhirResource | undefined {
    const parameter = this.#parameters.get(name)
    if (!parameter) return undefined
    const resource = parameter['resource']
    const type = isJsonObject(resource) ? resource['resourceType'] : undefined
    if (isJsonObject(resource) && typeof type === 'string' && /^[A-Z][A-Za-z0-9]*$/.test(type)) {
      return { ...resource, resourceType: type }
    }
    throw refusedParameter(name, 'structure', `Write ${name} as a resource with its resourceType.`)
  }

  /** A reference or a resource.
   *  @throws OperationOutcomeError 422 when it is something else */
  referenceOrResource(name: string): string | FhirResource | undefined {
    const value = this.#parameters.get(name)?.['valueReference']
    const reference = isJsonObject(value) ? value['reference'] : undefined
    return typeof reference === 'string' ? reference : this.resource(name)
  }

  /** @throws OperationOutcomeError 422 when it is none of `allowed` */
  code<Code extends string>(name: string, allowed: readonly Code[]): Code | undefined {
    if (!this.has(name)) return undefined
    const value = this.#value(name, 'code')
    const code = allowed.find((each) => each === value)
    if (code !== undefined) return code
    throw refusedParameter(
      name,
      'value',
      `Write ${name} as valueCode, one of ${allowed.join(', ')}.`,
    )
  }

  /** @throws OperationOutcomeError 422 when it is no whole number in the range */
  integer(name: string, minimum: number, maximum: number): number | undefined {
    if (!this.has(name)) return undefined
    const value = this.#value(name, 'number')
    if (typeof value === 'number' && Number.isInteger(value)) {
      if (value >= minimum && value <= maximum) return value
    }
    const text = `Write ${name} as valueInteger, from ${minimum} to ${maximum}.`
    throw refusedParameter(name, 'value', text)
  }

  /** @throws OperationOutcomeError 422 when it is something else */
  boolean(name: string): boolean | undefined {
    if (!this.has(name)) return undefined
    const value = this.#parameters.get(name)?.['valueBoolean']
    if (typeof value === 'boolean') return value
    throw refusedParameter(name, 'value', `Write ${name} as valueBoolean.`)
  }

  /** @throws OperationOutcomeError 422 when it is something else, empty, or with a character that PostgreSQL does not have */
  text(name: string): string | undefined {
    if (!this.has(name)) return undefined
    const value = this.#parameters.get(name)?.['valueString']
    if (typeof value === 'string' && value !== '' && !value.includes('\0')) return value
    throw refusedParameter(name, 'value', `Write ${name} as valueString.`)
  }

  /** The first and the last millisecond that the time covers: `2026-11-25` is that whole day, in UTC as in searches.
   *  @throws OperationOutcomeError 422 when it is no time */
  time(name: string): { readonly first: Date; readonly last: Date } | undefined {
    if (!this.has(name)) return undefined
    const value = this.#value(name, 'time')
    const range =
      typeof value === 'string' && dateTimePattern.test(value) ? toDateRange(value) : undefined
    if (range) return { first: new Date(range.low), last: new Date(range.high - 1) }
    const text = `Write ${name} as valueDateTime: a date, or a time with its time zone.`
    throw refusedParameter(name, 'value', text)
  }

  #value(name: string, kind: keyof typeof valueKeys): unknown {
    const parameter = this.#parameters.get(name)
    return valueKeys[kind].map((key) => parameter?.[key]).find((each) => each !== undefined)
  }
}
