import type { FhirResource } from '../host/types.ts'
import { dataAbsentReasonUrl, secretReferenceUrl } from './canonical-urls.ts'
import { objectsIn, isJsonObject, type JsonObject } from './json-shapes.ts'

const valueKey = /^_?(value[A-Z]\w*)$/

/** What one entry of `parameter` carries. */
export interface ParameterContent {
  /** Names of the `value[x]` present, by value or by extension; a usable entry has exactly one. */
  readonly valueNames: readonly string[]
  /** The plain value; undefined when there is none. */
  readonly value: unknown
  /** Secret references on the value; a usable entry has at most one. */
  readonly secretNames: readonly string[]
  /** The value is said to be masked. */
  readonly isMasked: boolean
}

export function parameterContent(entry: JsonObject): ParameterContent {
  const valueNames = new Set<string>()
  for (const key of Object.keys(entry)) {
    const name = valueKey.exec(key)?.[1]
    if (name !== undefined) valueNames.add(name)
  }
  const extensions = [...valueNames].flatMap((name) => extensionsOf(entry[`_${name}`]))
  return {
    valueNames: [...valueNames],
    value: [...valueNames].map((name) => entry[name]).find((value) => value !== undefined),
    secretNames: extensions
      .filter(({ url }) => url === secretReferenceUrl)
      .map(({ valueString }) => (typeof valueString === 'string' ? valueString : '')),
    isMasked: extensions.some(isMaskedReason),
  }
}

/** Names of all secrets that a destination refers to, in the order of its parameters. */
export function secretNamesOf(resource: FhirResource): readonly string[] {
  return objectsIn(resource['parameter']).flatMap((entry) => parameterContent(entry).secretNames)
}

/** The entry with its plain value replaced by "masked"; the entry itself when there is nothing to hide. */
export function maskedEntry(entry: JsonObject): JsonObject {
  const plain = Object.keys(entry).filter((key) => key.startsWith('value') && valueKey.test(key))
  if (plain.length === 0) return entry
  return Object.fromEntries(
    Object.entries(entry)
      // An extension beside the value joins the mask.
      .filter(([key]) => !plain.some((name) => key === `_${name}`))
      .map(([key, value]) =>
        plain.includes(key) ? [`_${key}`, mask(entry[`_${key}`])] : [key, value],
      ),
  )
}

/** `entry` with the value of `stored` in the place of its mask. */
export function unmaskedEntry(entry: JsonObject, stored: JsonObject): JsonObject {
  const isValue = ([key]: [string, unknown]) => valueKey.test(key)
  let isPlaced = false
  return Object.fromEntries(
    Object.entries(entry).flatMap((field) => {
      if (!isValue(field)) return [field]
      if (isPlaced) return []
      isPlaced = true
      return Object.entries(stored).filter(isValue)
    }),
  )
}

function mask(element: unknown): JsonObject {
  const isThere = extensionsOf(element).some(isMaskedReason)
  const kept = isJsonObject(element) ? element : {}
  if (isThere) return kept
  const reason = { url: dataAbsentReasonUrl, valueCode: 'masked' }
  return { ...kept, extension: [...extensionsOf(element), reason] }
}

function isMaskedReason({ url, valueCode }: JsonObject): boolean {
  return url === dataAbsentReasonUrl && valueCode === 'masked'
}

function extensionsOf(element: unknown): readonly JsonObject[] {
  return isJsonObject(element) ? objectsIn(element['extension']) : []
}
