/** Text of somebody else for a terminal: in quotes where it is more than plain characters, so that nothing in it is a control sequence. */
export function printable(text: string): string {
  return /^[\x20-\x7E]*$/.test(text) ? text : JSON.stringify(text).replaceAll(/[\x7F-\x9F]/g, '?')
}

/** JSON for a terminal: it escapes the control characters below U+0020 itself. */
export function printableJson(value: unknown, indent?: number): string {
  return JSON.stringify(value, undefined, indent).replaceAll(
    /[\x7F-\x9F]/g,
    (character) => `\\u${character.charCodeAt(0).toString(16).padStart(4, '0')}`,
  )
}
