import type { FhirResource } from '../../host/types.ts'
import { compiledParameters, type CompiledParameter } from './compiled-parameters.ts'
import { visitPath } from './element-path.ts'
import type { SearchTerm, TermWriter } from './term-values.ts'

/** Everything that a resource can be found by, apart from its id and when it was updated. No term occurs twice. */
export function searchTerms(resource: FhirResource): SearchTerm[] {
  const terms = new TermList()
  for (const parameter of compiledParameters(resource.resourceType).values()) {
    if (parameter.column !== undefined) continue
    terms.begin(parameter)
    if (parameter.isPresence) {
      terms.text(String(isPresent(resource, parameter)), null)
      continue
    }
    for (const { path, convert } of parameter.sources) {
      terms.referencedType = path.referencedType
      visitPath(resource, path, (value) => {
        convert(value, terms)
      })
    }
  }
  return terms.all
}

function isPresent(resource: FhirResource, { sources }: CompiledParameter): boolean {
  let found = false
  for (const { path } of sources) {
    visitPath(resource, path, (value) => {
      found ||= value !== false
    })
  }
  return found
}

class TermList implements TermWriter {
  readonly all: SearchTerm[] = []
  referencedType: string | undefined
  isCaseSensitive = false
  #parameter = ''
  #start = 0

  begin({ code, isCaseSensitive }: CompiledParameter): void {
    this.#parameter = code
    this.#start = this.all.length
    this.isCaseSensitive = isCaseSensitive
  }

  text(value: string, qualifier: string | null): void {
    this.#add(value, qualifier, null, null)
  }

  period(low: number, high: number): void {
    this.#add(null, null, low, high)
  }

  #add(
    value: string | null,
    qualifier: string | null,
    low: number | null,
    high: number | null,
  ): void {
    // A parameter has few terms: comparing them is cheaper than a set of keys, up to a point.
    for (let i = Math.max(this.#start, this.all.length - 50); i < this.all.length; i++) {
      const term = this.all[i]
      if (
        term?.value === value &&
        term.qualifier === qualifier &&
        term.low === low &&
        term.high === high
      )
        return
    }
    this.all.push({ parameter: this.#parameter, value, qualifier, low, high })
  }
}
