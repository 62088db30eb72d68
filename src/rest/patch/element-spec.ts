import { capitalize, tryGetDataType } from '@medplum/core'

/** What a type's definition says of one element. */
interface ElementSpec {
  readonly isArray: boolean
  /** Its name in the JSON ends with the type of the value: `value[x]`. */
  readonly isChoice: boolean
  readonly types: readonly string[]
}

/** @returns undefined for an element that the type does not have */
export function elementSpec(type: string, name: string): ElementSpec | undefined {
  const elements = tryGetDataType(type)?.elements ?? {}
  for (const [key, isChoice] of [
    [name, false],
    [`${name}[x]`, true],
  ] as const) {
    const element = Object.hasOwn(elements, key) ? elements[key] : undefined
    if (element) {
      const types = element.type.map(({ code }) => code)
      return { isArray: element.isArray === true, isChoice, types }
    }
  }
  return undefined
}

export interface MemberSpec {
  /** FHIR type of the value; '' when it is not known. */
  readonly type: string
  /** `value` for a member such as `valueString`. */
  readonly choice: string | undefined
}

/** What the member `key` of an object of the type `parentType` is. */
export function memberSpec(parentType: string, key: string): MemberSpec {
  const direct = elementSpec(parentType, key)
  if (direct) return { type: direct.types[0] ?? '', choice: undefined }
  for (let end = key.length - 1; end > 0; end--) {
    const [name, suffix] = [key.slice(0, end), key.slice(end)]
    const spec = /^[A-Z]/.test(suffix) ? elementSpec(parentType, name) : undefined
    if (spec?.isChoice === true) {
      const type = spec.types.find((each) => capitalize(each) === suffix)
      return { type: type ?? '', choice: name }
    }
  }
  return { type: '', choice: undefined }
}
