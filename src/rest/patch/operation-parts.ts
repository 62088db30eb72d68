import type { OperationOutcomeError } from '@medplum/core'
import { isJsonObject, objectsIn, type JsonObject } from '../../resources/json-shapes.ts'
import { badRequestError } from '../outcomes.ts'
import { unfitPatchError } from './unfit-patch.ts'

/** A part as a client sent it; nothing of its content has been looked at. */
export type Part = JsonObject

/** The parts of one operation of a FHIRPath Patch. */
export class OperationParts {
  readonly #parts: ReadonlyMap<unknown, Part>
  readonly #operationNo: number

  /** @throws OperationOutcomeError 400 */
  constructor(parameter: unknown, operationNo: number) {
    this.#operationNo = operationNo
    if (!isJsonObject(parameter) || parameter['name'] !== 'operation') {
      throw this.invalid('its name must be operation')
    }
    this.#parts = new Map(partsOf(parameter).map((part) => [part['name'], part]))
  }

  /** @throws OperationOutcomeError 400 */
  string(name: string): string {
    const part = this.#parts.get(name)
    const value = part && valueIn(part)?.value
    if (typeof value !== 'string' || value === '') throw this.invalid(`it needs the part ${name}`)
    return value
  }

  /** A place in a list.
   *  @throws OperationOutcomeError 400, or 422 when it is not in the list */
  index(name: string, max: number): number {
    const part = this.#parts.get(name)
    const value = part && valueIn(part)?.value
    if (typeof value !== 'number' || !Number.isInteger(value)) {
      throw this.invalid(`it needs the part ${name} with a valueInteger`)
    }
    if (value < 0 || value > max) throw this.unfit(`${name} is outside the list`)
    return value
  }

  /** @throws OperationOutcomeError 400 */
  value(): Part {
    const part = this.#parts.get('value')
    if (!part) throw this.invalid('it needs the part value')
    return part
  }

  invalid(reason: string): OperationOutcomeError {
    return badRequestError(`Operation ${this.#operationNo} of the FHIRPath Patch: ${reason}.`)
  }

  unfit(reason: string): OperationOutcomeError {
    return unfitPatchError(`Operation ${this.#operationNo} of the FHIRPath Patch: ${reason}.`)
  }
}

/** Parts in a part: the members of an element whose type has no name. */
export function partsOf(part: Part): readonly Part[] {
  return objectsIn(part['part'])
}

/** The `value[x]` of a part: its type, as the name has it (`CodeableConcept`), and what it is. */
export function valueIn(
  part: Part,
): { readonly suffix: string; readonly value: unknown } | undefined {
  const key = Object.keys(part).find((name) => /^value[A-Z]/.test(name))
  return key === undefined ? undefined : { suffix: key.slice('value'.length), value: part[key] }
}
