import { RE2JS } from 're2js'

export interface Pattern {
  /** Why the pattern cannot be used. */
  readonly fault?: string
  find(text: string): boolean
  matchFull(text: string): boolean
}

/** A regular expression that runs in linear time, whatever the text: RE2, no look-around, no back-references.
 *  As FHIRPath wants it, `.` matches line ends too. */
export function compilePattern(pattern: string): Pattern {
  try {
    const compiled = RE2JS.compile(pattern, RE2JS.DOTALL)
    return {
      find: (text) => compiled.matcher(text).find(),
      matchFull: (text) => compiled.matches(text),
    }
  } catch (error) {
    const fault = error instanceof Error ? error.message.slice(0, 120) : 'not a regular expression'
    return { fault, find: () => false, matchFull: () => false }
  }
}
