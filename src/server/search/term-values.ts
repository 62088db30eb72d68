import { createHash } from 'node:crypto'
import type { JsonObject } from '../../resources/json-shapes.ts'
import { beginningOfTime, endOfTime, toDateRange } from '../../rest/search/date-range.ts'

/** What one search parameter finds in one resource; either `value` or `low` and `high` are set. */
export interface SearchTerm {
  readonly parameter: string
  /** Code, reference, uri, or text without case and accents. */
  readonly value: string | null
  /** System of a token, version of a canonical, the text as written. */
  readonly qualifier: string | null
  readonly low: number | null
  readonly high: number | null
}

export const answerableTypes = ['token', 'string', 'uri', 'reference', 'date'] as const
export type AnswerableType = (typeof answerableTypes)[number]

export interface TermWriter {
  readonly isCaseSensitive: boolean
  readonly referencedType: string | undefined
  text(value: string, qualifier: string | null): void
  period(low: number, high: number): void
}

type Convert = (value: unknown, writer: TermWriter) => void

const primitiveStrings = ['string', 'code', 'id', 'uri', 'url', 'oid', 'uuid', 'markdown']
const canonical = 'canonical'

const converters: Readonly<Record<AnswerableType, Readonly<Record<string, Convert>>>> = {
  token: {
    ...forTypes([...primitiveStrings, canonical, 'boolean'], writePrimitiveToken),
    Coding: writeCoding,
    CodeableConcept: (value, writer) => {
      for (const coding of items(value, 'coding')) writeCoding(coding, writer)
    },
    Identifier: (value, writer) => {
      writeToken(writer, member(value, 'value'), member(value, 'system'))
    },
    ContactPoint: (value, writer) => {
      writeToken(writer, member(value, 'value'))
    },
  },
  string: {
    ...forTypes(primitiveStrings, writeString),
    HumanName: writeParts(['text', 'family', 'given', 'prefix', 'suffix']),
    Address: writeParts(['text', 'line', 'city', 'district', 'state', 'postalCode', 'country']),
  },
  uri: {
    ...forTypes(primitiveStrings, (value, writer) => {
      if (typeof value === 'string') writer.text(indexable(value), null)
    }),
    canonical: writeCanonical,
  },
  reference: {
    ...forTypes(['canonical', 'uri'], writeCanonical),
    Reference: writeReference,
  },
  date: {
    ...forTypes(['date', 'dateTime', 'instant'], (value, writer) => {
      const range = typeof value === 'string' ? toDateRange(value) : undefined
      if (range) writer.period(range.low, range.high)
    }),
    Period: (value, writer) => {
      writePeriod(value, writer)
    },
    Timing: writeTiming,
  },
}

/** Turns a value of `elementType` into terms of a parameter of `parameterType`; undefined when these do not go together. */
export function converterOf(
  parameterType: AnswerableType,
  elementType: string,
): Convert | undefined {
  return converters[parameterType][elementType]
}

/** Element types whose tokens have no system: a system in the search is ignored. */
export function hasSystem(elementType: string): boolean {
  return ['Coding', 'CodeableConcept', 'Identifier'].includes(elementType)
}

/** Codes are compared without case, as R4 advises when in doubt; identifiers are not, lest a conditional write takes one record
 *  for another. */
export function isCaseSensitive(elementType: string): boolean {
  return elementType === 'Identifier'
}

// Three bytes a character at most: an entry of a btree has to stay below 2,700 bytes.
const maxIndexedLength = 700

/** A value that a btree can hold and that is still equal only to itself. */
export function indexable(value: string): string {
  if (value.length <= maxIndexedLength) return value
  const hash = createHash('sha256').update(value).digest('base64')
  return `${value.slice(0, maxIndexedLength)}#${hash}`
}

/** Text without case and accents, as far as it is indexed. */
export function foldText(text: string): string {
  const folded = /^[\x20-\x7e]*$/.test(text)
    ? text.toLowerCase()
    : text.normalize('NFD').replace(/\p{M}/gu, '').toLowerCase()
  return folded.slice(0, maxIndexedLength)
}

/** `http://x|1.0` is the canonical `http://x` in version `1.0`. */
export function splitCanonical(text: string): [url: string, version: string | null] {
  const bar = text.lastIndexOf('|')
  return bar < 0 ? [text, null] : [text.slice(0, bar), text.slice(bar + 1)]
}

function forTypes(types: readonly string[], convert: Convert): Record<string, Convert> {
  return Object.fromEntries(types.map((type) => [type, convert]))
}

function member(value: unknown, key: string): unknown {
  return typeof value === 'object' && value !== null ? (value as JsonObject)[key] : undefined
}

function items(value: unknown, key: string): readonly unknown[] {
  const list = member(value, key)
  return Array.isArray(list) ? list : []
}

function writeToken(writer: TermWriter, code: unknown, system?: unknown): void {
  const hasCode = typeof code === 'string' && code !== ''
  if (!hasCode && typeof system !== 'string') return
  const text = indexable(hasCode ? code : '')
  writer.text(
    writer.isCaseSensitive ? text : text.toLowerCase(),
    typeof system === 'string' ? system : null,
  )
}

function writePrimitiveToken(value: unknown, writer: TermWriter): void {
  if (typeof value === 'string' || typeof value === 'boolean') writeToken(writer, String(value))
}

function writeCoding(value: unknown, writer: TermWriter): void {
  writeToken(writer, member(value, 'code'), member(value, 'system'))
}

function writeString(value: unknown, writer: TermWriter): void {
  if (typeof value === 'string') writer.text(foldText(value), value)
}

function writeParts(keys: readonly string[]): Convert {
  return (value, writer) => {
    for (const key of keys) {
      const part = member(value, key)
      if (Array.isArray(part)) for (const one of part) writeString(one, writer)
      else writeString(part, writer)
    }
  }
}

function writeCanonical(value: unknown, writer: TermWriter): void {
  if (typeof value !== 'string') return
  const [url, version] = splitCanonical(value)
  writer.text(indexable(url), version)
}

function writeReference(value: unknown, writer: TermWriter): void {
  const reference = member(value, 'reference')
  if (typeof reference !== 'string' || reference.startsWith('#')) return
  const { referencedType } = writer
  const isWanted =
    referencedType === undefined ||
    reference.startsWith(`${referencedType}/`) ||
    reference.includes(`/${referencedType}/`) ||
    member(value, 'type') === referencedType
  if (isWanted) writer.text(indexable(reference.replace(/\/_history\/[^/]+$/, '')), null)
}

function writePeriod(value: unknown, writer: TermWriter): void {
  const [start, end] = [member(value, 'start'), member(value, 'end')]
  const low = typeof start === 'string' ? toDateRange(start)?.low : undefined
  const high = typeof end === 'string' ? toDateRange(end)?.high : undefined
  if (low === undefined && high === undefined) return
  writer.period(low ?? beginningOfTime, high ?? endOfTime)
}

/** Its events from the first to the last, else the bounds of its repetition. */
function writeTiming(value: unknown, writer: TermWriter): void {
  const ranges = items(value, 'event').flatMap((event) => {
    const range = typeof event === 'string' ? toDateRange(event) : undefined
    return range ? [range] : []
  })
  if (ranges.length === 0) {
    writePeriod(member(member(value, 'repeat'), 'boundsPeriod'), writer)
    return
  }
  writer.period(
    Math.min(...ranges.map(({ low }) => low)),
    Math.max(...ranges.map(({ high }) => high)),
  )
}
