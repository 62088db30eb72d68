import type { OperationOutcomeIssue, StructureDefinition } from '@medplum/fhirtypes'
import { refusal } from './issue.ts'
import { isJsonObject, type JsonObject } from './json-shapes.ts'

const limits = {
  /** Objects and arrays inside one another. */
  maxDepth: 60,
  /** Strings, numbers, objects and so on, all together. */
  maxValues: 10_000,
  maxChars: 1_000_000,
} as const

/** Thrown out of the walk: what is larger is not looked at further. */
class TooLarge extends Error {}

/** What FHIR's JSON format forbids at any depth and the check by definition does not see, and what is too large to be checked at all.
 *
 *  Names that every JavaScript object answers to (`constructor`) are elements of every type to @medplum/core. */
export function formIssues(
  resource: JsonObject,
  definition: StructureDefinition,
): { readonly issues: readonly OperationOutcomeIssue[]; readonly isTooLarge: boolean } {
  const walk = new FormWalk(definition)
  try {
    walk.object(resource, definition.type, definition.type, 1)
    return { issues: walk.issues, isTooLarge: false }
  } catch (error) {
    if (!(error instanceof TooLarge)) throw error
    return {
      issues: [refusal('too-long', error.message, definition.type)],
      isTooLarge: true,
    }
  }
}

class FormWalk {
  readonly issues: OperationOutcomeIssue[] = []
  readonly #ownElements: ReadonlySet<string>
  #values = 0
  #chars = 0

  constructor({ snapshot }: StructureDefinition) {
    this.#ownElements = new Set(snapshot?.element.map(({ path }) => path))
  }

  /** @param definedAt path without indexes */
  object(value: JsonObject, path: string, definedAt: string, depth: number): void {
    for (const [name, child] of Object.entries(value)) {
      const childPath = `${path}.${name}`
      const isShadow = name.startsWith('_')
      const element = isShadow ? name.slice(1) : name
      this.#chars += name.length
      if (name in Object.prototype || element in Object.prototype) {
        const text = `Leave out ${childPath}; there is no such element.`
        this.issues.push(refusal('structure', text, childPath))
      } else if (isShadow && child !== null && typeof child !== 'object') {
        const text = `Write ${childPath} as an object with an extension.`
        this.issues.push(refusal('structure', text, childPath))
      } else if (name === 'modifierExtension' && depth > 1) {
        const text = `Leave out ${childPath}; it would change the meaning in a way that is not known here.`
        this.issues.push(refusal('not-supported', text, childPath))
      } else if (
        isShadow &&
        value[element] === undefined &&
        this.#ownElements.has(`${definedAt}.${element}`)
      ) {
        const text = `Give ${path}.${element} a value; an extension alone is not one.`
        this.issues.push(refusal('required', text, `${path}.${element}`))
      }
      this.#value(child, childPath, `${definedAt}.${name}`, depth + 1)
    }
  }

  #value(value: unknown, path: string, definedAt: string, depth: number): void {
    this.#values++
    if (typeof value === 'string') this.#chars += value.length
    if (depth > limits.maxDepth) {
      throw new TooLarge(`Write less deep; ${limits.maxDepth} levels are the most.`)
    }
    if (this.#values > limits.maxValues || this.#chars > limits.maxChars) {
      throw new TooLarge(
        `Write less; ${limits.maxValues} values with ${limits.maxChars} characters are the most.`,
      )
    }
    if (value === '' || (isJsonObject(value) && Object.keys(value).length === 0)) {
      const text = `Give ${path} a value or leave it out; it is empty.`
      this.issues.push(refusal('value', text, path))
    } else if (Array.isArray(value)) {
      for (const [index, item] of value.entries()) {
        this.#value(item, `${path}[${index}]`, definedAt, depth + 1)
      }
    } else if (isJsonObject(value)) this.object(value, path, definedAt, depth)
  }
}
