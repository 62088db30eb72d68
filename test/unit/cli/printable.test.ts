import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { parse } from 'yaml'
import { printable, printableJson, printableYaml } from '../../../src/cli/printable.ts'

/** Every character that a terminal could obey. */
const each = Array.from({ length: 0xa0 }, (_, code) => String.fromCharCode(code)).filter(
  (character) => !/[ -~]/.test(character),
)
const controls = each.join('')

describe('text of somebody else', () => {
  it('has no control character', () => {
    assert.equal(controls.length, 65)
    assert.match(printable(`a${controls}`), /^[ -~]+$/)
    assert.equal(printable('plain: text'), 'plain: text')
  })

  it('is the same again when it is read as JSON or YAML', () => {
    const value = { [`name${controls}`]: each.map((one) => `${one}2J`), all: controls }
    const json = printableJson(value)
    assert.match(json, /^[ -~]+$/)
    assert.deepEqual(JSON.parse(json), value)
    const yaml = printableYaml(value)
    assert.match(yaml, /^[ -~\n]+$/)
    assert.deepEqual(parse(yaml), value)
    assert.match(printableYaml({ text: '\u009B2J' }), /^text: "\\u009b2J"\n$/)
  })
})
