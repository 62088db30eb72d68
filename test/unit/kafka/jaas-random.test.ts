import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import * as fc from 'fast-check'
import { jaasString, JaasSyntaxError, parseJaas } from '../../../src/kafka/jaas.ts'

const seed = 20_260_801
const flags = ['required', 'Requisite', 'SUFFICIENT', 'optional']
const escapes: Readonly<Record<string, string>> = {
  '\u0007': 'a',
  '\b': 'b',
  '\f': 'f',
  '\n': 'n',
  '\r': 'r',
  '\t': 't',
  '\v': 'v',
}

/** A string in the quotes of a JAAS text; of the ways to write a character, `style` takes one. */
function quoted(value: string, quote: string, style: number): string {
  const chars = Array.from({ length: value.length }, (_, index) => value[index] ?? '')
  const written = chars.map((char, index) => {
    const isLineBreak = char === '\n' || char === '\r'
    const mayBeOctal = char.charCodeAt(0) < 256
    const way = (style + index) % 3
    if (mayBeOctal && way === 0) {
      return `\\${char.charCodeAt(0).toString(8).padStart(3, '0')}`
    }
    const name = escapes[char]
    if (name !== undefined && (isLineBreak || way === 1)) return `\\${name}`
    return char === quote || char === '\\' ? `\\${char}` : char
  })
  return `${quote}${written.join('')}${quote}`
}

const word = fc.stringMatching(/^[A-Za-z_$][A-Za-z0-9._$-]{0,20}$/)
const blank = fc.constantFrom(' ', '\t', '\n ', ' /* a "comment; */ ', ' // to the end\n')
const value = fc.string({ unit: 'binary', maxLength: 30 })
const text = fc
  .record({
    loginModule: word,
    flag: fc.constantFrom(...flags),
    blank,
    options: fc.uniqueArray(
      fc.record({ name: word, value, quote: fc.constantFrom('"', "'"), style: fc.nat(2) }),
      { selector: ({ name }) => name, maxLength: 8 },
    ),
  })
  .map(({ loginModule, flag, blank: gap, options }) => ({
    loginModule,
    options: options.map((each) => [each.name, each.value] as const),
    written: [
      loginModule,
      flag,
      ...options.map(
        (each) => `${each.name}${gap}=${gap}${quoted(each.value, each.quote, each.style)}`,
      ),
    ]
      .join(gap)
      .concat(gap, ';'),
  }))

/** What the grammar is made of, so that most texts get some way into it. */
const pieces = fc
  .array(
    fc.oneof(
      fc.constantFrom(
        'M',
        'required',
        'a',
        '=',
        ';',
        '"',
        "'",
        '\\',
        '/',
        '/*',
        '*/',
        '//',
        '\n',
        ' ',
      ),
      fc.string({ unit: 'binary', maxLength: 4 }),
    ),
    { maxLength: 60 },
  )
  .map((parts) => parts.join(''))

describe('parseJaas on random texts', () => {
  it('reads every option as it was meant, however it is written', () => {
    fc.assert(
      fc.property(text, ({ loginModule, options, written }) => {
        const [entry, ...more] = parseJaas(written)
        assert.equal(entry?.loginModule, loginModule)
        assert.deepEqual([...entry.options], options)
        assert.deepEqual(more, [])
      }),
      { seed, numRuns: 3000 },
    )
  })

  it('reads what jaasString has written', () => {
    fc.assert(
      fc.property(value, (secret) => {
        const [entry] = parseJaas(`M required password=${jaasString(secret)};`)
        assert.equal(entry?.options.get('password'), secret)
      }),
      { seed, numRuns: 3000 },
    )
  })

  it('answers any other text with a JaasSyntaxError, which never quotes it', () => {
    let refused = 0
    const message =
      /^(?:it holds no login module|(?:a login module class is|"required", "requisite", "sufficient" or "optional" is|an option name is|"=" is|an option value is) expected at character \d+|the closing ";" is missing at character \d+)$/
    fc.assert(
      fc.property(pieces, (written) => {
        try {
          parseJaas(written)
        } catch (error) {
          assert.ok(error instanceof JaasSyntaxError, String(error))
          assert.match(error.message, message)
          refused++
        }
      }),
      { seed, numRuns: 20_000 },
    )
    assert.ok(refused > 1000, `${refused} texts were refused`)
  })

  it('takes time in proportion to the length of a hostile text', () => {
    // Each of these made a parser that looks ahead from every character take minutes.
    for (const unit of ['/*', '//', '"\\', 'a=', '\\', '/\n']) {
      const hostile = `M required ${unit.repeat(500_000)}`
      try {
        parseJaas(hostile)
      } catch (error) {
        assert.ok(error instanceof JaasSyntaxError)
      }
    }
  })
})
