import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import {
  partsOf,
  resolvesReferences,
  type CriteriaPart,
} from '../../../src/triggers/criteria-parts.ts'
import { parseFhirPath } from '../../../src/triggers/fhirpath-ast.ts'

type Shown = [text: string, position: string, ...operands: Shown[]]

function shown({ text, position, operands }: CriteriaPart): Shown {
  return [text, `${position.line}:${position.column}`, ...operands.map(shown)]
}

const parts = (text: string): Shown[] => partsOf(text, parseFhirPath(text)).map(shown)

describe('partsOf', () => {
  const cases: readonly [name: string, text: string, parts: Shown[]][] = [
    ['a criteria without and or or', 'name.exists()', [['name.exists()', '1:1']]],
    [
      'both sides of a comparison without the literals',
      "status = 'final' and 3 < %previous.value.where(a and b)",
      [
        ["status = 'final'", '1:1', ['status', '1:1']],
        ['3 < %previous.value.where(a and b)', '1:22', ['%previous.value.where(a and b)', '1:26']],
      ],
    ],
    [
      'groups in parentheses, over lines',
      "(%previous.empty() or\n  %previous.status != 'final') and\n((active))",
      [
        ['%previous.empty()', '1:2'],
        ["%previous.status != 'final'", '2:3', ['%previous.status', '2:3']],
        ['((active))', '3:1'],
      ],
    ],
    [
      'parentheses in strings, names and comments',
      "(a = ')\\')' and `(`.exists() /* ( */) or 'x' in b // )",
      [
        ["a = ')\\')'", '1:2', ['a', '1:2']],
        ['`(`.exists() /* ( */', '1:17'],
        ["'x' in b // )", '1:42', ['b // )', '1:49']],
      ],
    ],
    [
      'a comparison in parentheses of its own',
      "(a = b) and '😀' = c",
      [
        ['(a = b)', '1:1', ['a', '1:2'], ['b', '1:6']],
        ["'😀' = c", '1:13', ['c', '1:20']],
      ],
    ],
    [
      'xor and implies as one part',
      '(a implies b) and c',
      [
        ['(a implies b)', '1:1'],
        ['c', '1:19'],
      ],
    ],
  ]
  for (const [name, text, expected] of cases) {
    it(`shows ${name}`, () => {
      assert.deepEqual(parts(text), expected)
    })
  }

  it('shows a chain of hundreds', () => {
    const names = Array.from({ length: 300 }, (_, n) => `a${n}`)
    assert.deepEqual(
      parts(names.join(' and ')).map(([text]) => text),
      names,
    )
  })
})

describe('resolvesReferences', () => {
  for (const [text, expected] of [
    ['subject.resolve().active', true],
    ['name.where(link.resolve().exists()).exists()', true],
    ["resolve = 'x'", false],
    ["code = 'resolve()'", false],
  ] as const) {
    it(`${text}: ${expected}`, () => {
      assert.equal(resolvesReferences(parseFhirPath(text)), expected)
    })
  }
})
