import { RE2JS } from 're2js'
import { criteriaLimits } from './criteria-language.ts'

export interface Pattern {
  /** Why the pattern cannot be used. */
  readonly fault?: string
  /** Instructions: a character may have to be held against each of them. */
  readonly size: number
  find(text: string): boolean
  matchFull(text: string): boolean
}

/** A regular expression that runs in linear time, whatever the text: RE2, no look-around, no back-references.
 *  As FHIRPath wants it, `.` matches line ends too. */
export function compilePattern(pattern: string): Pattern {
  try {
    const compiled = RE2JS.compile(pattern, RE2JS.DOTALL)
    const size = compiled.programSize()
    if (size > criteriaLimits.maxPatternSize) return unusable('it has too many repetitions')
    return {
      size,
      find: (text) => compiled.matcher(text).find(),
      matchFull: (text) => compiled.matches(text),
    }
  } catch (error) {
    const fault = error instanceof Error ? error.message.slice(0, 120) : 'not a regular expression'
    return unusable(fault)
  }
}

function unusable(fault: string): Pattern {
  return { fault, size: 0, find: () => false, matchFull: () => false }
}
