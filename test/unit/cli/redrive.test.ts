import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { json, parameters, run } from './answering-server.ts'

const redriven = (undecidedKept: number): object =>
  parameters(
    { name: 'deadLetters', valueDecimal: 0 },
    { name: 'undecidedSent', valueDecimal: 1 },
    { name: 'undecidedKept', valueDecimal: undecidedKept },
  )
const listed = parameters({
  name: 'event',
  part: [{ name: 'error', valueString: 'Patient/a/_history/2: the expression fails.' }],
})
const redrive = ['redrive', 'd', '--all', '--wait']

describe('a redrive that leaves events undecided', () => {
  it('ends with 2 and says why', async (t) => {
    const one = await run(t, redrive, [json(redriven(1)), json(listed)])
    assert.deepEqual([one.code, one.requests], [2, 2])
    assert.match(one.out, /^undecidedKept: 1$/m)
    assert.match(
      one.err,
      /^1 event stays undecided: Patient\/a\/_history\/2: the expression fails\. Correct the topic/,
    )
    const several = await run(t, [...redrive, '--json'], [json(redriven(3)), json(listed)])
    assert.equal(several.code, 2)
    assert.match(several.err, /^3 events stay undecided, the first because of: Patient\/a\//)
  })

  it('ends with 2 also where they cannot be listed', async (t) => {
    const outcome = { resourceType: 'OperationOutcome', issue: [{ diagnostics: 'no' }] }
    const { code, err } = await run(t, redrive, [json(redriven(1)), json(outcome, 403)])
    assert.equal(code, 2)
    assert.match(err, /^1 event stays undecided\. Correct the topic/)
  })

  it('does not ask when there are none', async (t) => {
    const { code, err, requests } = await run(t, redrive, [json(redriven(0))])
    assert.deepEqual([code, err, requests], [0, '', 1])
  })
})
