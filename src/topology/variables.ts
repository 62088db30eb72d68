import type { DocumentPath, Report } from './finding.ts'

/** Values of `${VARIABLES}`; undefined for one that is not set. */
export type Variables = (name: string) => string | undefined

const reference = /\$\{([^}]*)\}/g

/** The text with its variables replaced. Reports those that have no value. */
export function substitute(
  text: string,
  path: DocumentPath,
  variables: Variables,
  report: Report,
): string {
  return text.replaceAll(reference, (whole, name: string) => {
    const value = variables(name)
    if (value !== undefined) return value
    const message = `\${${name}} has no value; add it to the environment's vars, or set it for the process.`
    report({ check: 'variable', severity: 'error', message, path })
    return whole
  })
}

/** A copy of a value with the variables of all its texts replaced; keys stay as they are. */
export function substituteAll<Value>(
  value: Value,
  path: DocumentPath,
  variables: Variables,
  report: Report,
): Value {
  return substituted(value, path) as Value

  function substituted(one: unknown, at: DocumentPath): unknown {
    if (typeof one === 'string') return substitute(one, at, variables, report)
    if (Array.isArray(one)) return one.map((item, index) => substituted(item, [...at, index]))
    if (typeof one !== 'object' || one === null) return one
    return Object.fromEntries(
      Object.entries(one).map(([key, item]) => [key, substituted(item, [...at, key])]),
    )
  }
}
