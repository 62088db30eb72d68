import { types } from 'fhirpath'
import { plainValue } from './criteria-functions.ts'

/** An item of a result, as far as it is shown. */
export interface ShownValue {
  /** `FHIR.code`, `System.Boolean`, … */
  readonly type: string
  /** A primitive, cut off; absent for anything else. */
  readonly text?: string
}

const maxItems = 5
const maxChars = 200

/** What a part of a criteria came to: one boolean, nothing, or something else. */
export type PartValue =
  | { readonly kind: 'true' | 'false' | 'empty' }
  /** `count`: all items; `values`: the first five. */
  | { readonly kind: 'value'; readonly count: number; readonly values: readonly ShownValue[] }

export function shownResult(result: unknown): PartValue {
  const items: readonly unknown[] = Array.isArray(result) ? result : [result]
  if (items.length === 0) return { kind: 'empty' }
  const only = items.length === 1 ? plainValue(items[0]) : undefined
  if (only === true || only === false) return { kind: only ? 'true' : 'false' }
  return { kind: 'value', count: items.length, values: items.slice(0, maxItems).map(shown) }
}

function shown(item: unknown): ShownValue {
  const [type = 'unknown'] = types(item) as readonly string[]
  const text = textOf(item)
  return text === undefined ? { type } : { type, text: cut(text) }
}

interface Stringer {
  toString(): string
}

function textOf(item: unknown): string | undefined {
  const value = plainValue(item)
  if (typeof value === 'string') return value
  if (typeof value === 'number' || typeof value === 'boolean' || typeof value === 'bigint') {
    return String(value)
  }
  // Numbers, dates and quantities of fhirpath.js are objects of classes of its own; JSON has no text to show.
  if (!(value instanceof Object) || Array.isArray(value)) return undefined
  return Object.getPrototypeOf(value) === Object.prototype
    ? undefined
    : (value as Stringer).toString()
}

function cut(text: string): string {
  return text.length > maxChars ? `${text.slice(0, maxChars)}…` : text
}
