import { stringify } from 'yaml'

/** Text of somebody else for a terminal: in quotes where it is more than plain characters, so that nothing in it is a control sequence. */
export function printable(text: string): string {
  return /^[\x20-\x7E]*$/.test(text) ? text : JSON.stringify(text).replaceAll(/[\x7F-\x9F]/g, '?')
}

/** JSON for a terminal: it escapes the control characters below U+0020 itself. */
export function printableJson(value: unknown, indent?: number): string {
  return escaped(JSON.stringify(value, undefined, indent))
}

/** YAML for a terminal: it puts control characters in double quotes, and escapes those below U+0020 itself. */
export function printableYaml(value: unknown): string {
  return escaped(stringify(value, { lineWidth: 0 }))
}

/** JSON and YAML have the same escapes within double quotes. */
function escaped(text: string): string {
  return text.replaceAll(
    /[\x7F-\x9F]/g,
    (character) => `\\u${character.charCodeAt(0).toString(16).padStart(4, '0')}`,
  )
}
