import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { promisedVariant, readCommandLine } from '../../../chaos/options.ts'

describe('the command line of npm run chaos', () => {
  it('has a default for everything', () => {
    const { options, json, save } = readCommandLine([])
    assert.deepEqual([options.seconds, options.nodes, options.module], [60, 3, promisedVariant])
    assert.deepEqual([json, save], [false, false])
  })

  it('takes a goal in events and faults instead of a time', () => {
    const { options } = readCommandLine(['--events', '1000000', '--faults', '1000', '--json'])
    assert.deepEqual([options.seconds, options.events, options.faults], [1, 1_000_000, 1000])
  })

  it("sets the module's options", () => {
    const { options } = readCommandLine(['--transactional', 'off', '--checkpoint-topic', 'on'])
    const expected = { ...promisedVariant, transactional: false, checkpointTopic: true }
    assert.deepEqual(options.module, expected)
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
