import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { readCommandLine } from '../../../chaos/options.ts'

describe('the command line of npm run chaos', () => {
  it('has a default for everything', () => {
    const { options, json, save } = readCommandLine([])
    assert.deepEqual([options.seconds, options.nodes, options.checkpoint], [60, 3, true])
    assert.deepEqual([json, save], [false, false])
  })

  it('takes a goal in events and faults instead of a time', () => {
    const { options } = readCommandLine(['--events', '1000000', '--faults', '1000', '--json'])
    assert.deepEqual([options.seconds, options.events, options.faults], [1, 1_000_000, 1000])
  })

  for (const args of [
    ['--seed', 'x'],
    ['--nodes', '0'],
    ['--rate'],
    ['--checkpoint', 'no'],
    ['--kinds', '3'],
  ]) {
    it(`refuses ${args.join(' ')}`, () => {
      assert.throws(() => readCommandLine(args), { message: new RegExp(args[0] ?? '') })
    })
  }
})
