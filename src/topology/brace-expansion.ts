/** `a.{,b.,c.}d` as `a.d`, `a.b.d`, `a.c.d`; braces may stand side by side and inside each other.
 *  @throws {SyntaxError} when a brace has no other half */
export function expandBraces(pattern: string): string[] {
  const open = pattern.indexOf('{')
  if (open < 0) {
    if (pattern.includes('}')) throw new SyntaxError(`"${pattern}" closes a brace it never opened`)
    return [pattern]
  }
  const alternatives: string[] = []
  let depth = 0
  let start = open + 1
  for (let at = open; at < pattern.length; at++) {
    const character = pattern[at]
    if (character === '{') depth++
    else if (character === ',' && depth === 1) {
      alternatives.push(pattern.slice(start, at))
      start = at + 1
    } else if (character === '}' && --depth === 0) {
      alternatives.push(pattern.slice(start, at))
      const [before, after] = [pattern.slice(0, open), pattern.slice(at + 1)]
      return alternatives.flatMap((alternative) => expandBraces(before + alternative + after))
    }
  }
  throw new SyntaxError(`"${pattern}" never closes its brace`)
}
