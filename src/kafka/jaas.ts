/** One login entry: `<loginModule> <flag> (<name>=<value>)* ;` */
export interface JaasEntry {
  readonly loginModule: string
  readonly options: ReadonlyMap<string, string>
}

/** Says what is wrong and at which character. Never quotes the text: a slip in a password must not show up in an answer or a log. */
export class JaasSyntaxError extends Error {
  override readonly name: string = 'JaasSyntaxError'
}

type Token =
  | { readonly kind: 'word'; readonly text: string; readonly at: number }
  | { readonly kind: ';' | '=' | 'end'; readonly at: number }

const escapes: Readonly<Record<string, string>> = {
  a: '\u0007',
  b: '\b',
  f: '\f',
  n: '\n',
  r: '\r',
  t: '\t',
  v: '\v',
}
const controlFlag = /^(required|requisite|sufficient|optional)$/i

/** Reads the text of `sasl.jaas.config` as Kafka's Java clients do (org.apache.kafka.common.security.JaasConfig on a StreamTokenizer): an
 *  unquoted `/` starts a comment, strings stand in single or double quotes and know C escapes.
 *  @throws {@link JaasSyntaxError} */
export function parseJaas(text: string): readonly JaasEntry[] {
  const tokens = new JaasTokens(text)
  const entries: JaasEntry[] = []
  for (let token = tokens.next(); token.kind !== 'end'; token = tokens.next()) {
    if (token.kind !== 'word') throw slip('a login module class is expected', token.at)
    entries.push(parseEntry(token.text, tokens))
  }
  if (entries.length === 0) throw new JaasSyntaxError('it holds no login module')
  return entries
}

function parseEntry(loginModule: string, tokens: JaasTokens): JaasEntry {
  const flag = tokens.next()
  if (flag.kind !== 'word' || !controlFlag.test(flag.text)) {
    throw slip('"required", "requisite", "sufficient" or "optional" is expected', flag.at)
  }
  const options = new Map<string, string>()
  for (let name = tokens.next(); name.kind !== ';'; name = tokens.next()) {
    if (name.kind === 'end') throw slip('the closing ";" is missing', name.at)
    if (name.kind !== 'word') throw slip('an option name is expected', name.at)
    const equals = tokens.next()
    if (equals.kind !== '=') throw slip('"=" is expected', equals.at)
    const value = tokens.next()
    if (value.kind !== 'word') throw slip('an option value is expected', value.at)
    options.set(name.text, value.text)
  }
  return { loginModule, options }
}

function slip(what: string, at: number): JaasSyntaxError {
  return new JaasSyntaxError(`${what} at character ${at + 1}`)
}

class JaasTokens {
  readonly #text: string
  #at = 0

  constructor(text: string) {
    this.#text = text
  }

  next(): Token {
    this.#skipBlanksAndComments()
    const at = this.#at
    const char = this.#text[at]
    if (char === undefined) return { kind: 'end', at }
    if (char === ';' || char === '=') {
      this.#at++
      return { kind: char, at }
    }
    if (char === '"' || char === "'") return { kind: 'word', text: this.#quoted(char), at }
    while (this.#isWordChar()) this.#at++
    return { kind: 'word', text: this.#text.slice(at, this.#at), at }
  }

  #isWordChar(): boolean {
    const char = this.#text[this.#at]
    return char !== undefined && char > ' ' && !`"'=;/`.includes(char)
  }

  #skipBlanksAndComments(): void {
    for (;;) {
      while (this.#at < this.#text.length && this.#text.charCodeAt(this.#at) <= 32) this.#at++
      if (this.#text[this.#at] !== '/') return
      const isBlock = this.#text[this.#at + 1] === '*'
      // Java has read the character after the slash by then, so a line break there does not end the comment.
      this.#at += 2
      const end = isBlock
        ? this.#text.indexOf('*/', this.#at)
        : this.#text.slice(this.#at).search(/[\r\n]/)
      if (end < 0) this.#at = this.#text.length
      else this.#at = isBlock ? end + 2 : this.#at + end
    }
  }

  /** A line break ends a string, as in Java. */
  #quoted(quote: string): string {
    let value = ''
    this.#at++
    for (;;) {
      const char = this.#text[this.#at]
      if (char === undefined || char === '\n' || char === '\r') return value
      this.#at++
      if (char === quote) return value
      value += char === '\\' ? this.#escaped() : char
    }
  }

  #escaped(): string {
    const octal = /^(?:[0-3][0-7]{0,2}|[4-7][0-7]?)/.exec(
      this.#text.slice(this.#at, this.#at + 3),
    )?.[0]
    if (octal !== undefined) {
      this.#at += octal.length
      return String.fromCharCode(Number.parseInt(octal, 8))
    }
    const char = this.#text[this.#at++] ?? ''
    return escapes[char] ?? char
  }
}
