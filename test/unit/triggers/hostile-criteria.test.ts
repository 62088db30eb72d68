import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import type { Change } from '../../../src/host/types.ts'
import { checkTopicTriggers } from '../../../src/triggers/check-topic-triggers.ts'
import { fhirPathEngine } from '../../../src/triggers/criteria-engine.ts'
import { criteriaLimits } from '../../../src/triggers/criteria-language.ts'
import { compileExpression } from '../../../src/triggers/expression.ts'
import { FuelError } from '../../../src/triggers/fuel.ts'
import { References } from '../../../src/triggers/references.ts'
import { hostileCriteria, hostileResources } from '../../helpers/hostile-criteria.ts'

function update(on: keyof typeof hostileResources): Change {
  const current = hostileResources[on]
  // The same but for one element, so that a comparison goes through it all.
  const previous = { ...current, language: 'en' }
  const { resourceType, id } = current
  return { interaction: 'update', resourceType, id, current, previous }
}

const short = (text: string): string => (text.length > 90 ? `${text.slice(0, 90)}…` : text)

describe('a hostile criteria', () => {
  for (const { criteria, on, stopped } of hostileCriteria) {
    const change = update(on)

    it(`passes the check when it is written: ${short(criteria)} on ${on}`, () => {
      const trigger = [{ resource: change.resourceType, fhirPathCriteria: criteria }]
      const issues = checkTopicTriggers({ resourceType: 'AidboxSubscriptionTopic', trigger })
      assert.deepEqual(issues, [])
    })

    if (stopped === undefined) {
      it(`ends: ${short(criteria)}`, () => {
        assert.equal(fhirPathEngine.compile(criteria).evaluate(change, new Map()).kind, 'decided')
      })
      continue
    }

    it(`is stopped by its fuel: ${short(criteria)} on ${on}`, () => {
      const expression = compileExpression(criteria)
      const fuel = expression.fuel()
      assert.throws(
        () => expression.evaluate(change, new References(new Map()), fuel),
        (error: unknown) => error instanceof FuelError && error.message.includes(stopped),
      )
      assert.ok(fuel.steps > 0 && fuel.steps <= criteriaLimits.maxSteps + 1, `${fuel.steps} steps`)
      const verdict = fhirPathEngine.compile(criteria).evaluate(change, new Map())
      assert.equal(verdict.kind, 'undecided')
    })
  }

  const digits = '(1|2|3|4|5|6|7|8|9)'
  for (const criteria of [
    `${digits}${`.select${digits}`.repeat(6)}.count() = 1`,
    `${digits}.where(${`${digits}.combine(`.repeat(5)}${digits}${')'.repeat(5)}.where(${digits}.count() > $this).count() > 1).exists()`,
  ]) {
    it(`that needs no resource is refused when it is written: ${short(criteria)}`, () => {
      const trigger = [{ resource: 'Patient', fhirPathCriteria: criteria }]
      const [issue] = checkTopicTriggers({ resourceType: 'AidboxSubscriptionTopic', trigger })
      assert.equal(issue?.severity, 'error')
      assert.match(issue.details?.text ?? '', /The criteria was stopped/)
      const verdict = fhirPathEngine.compile(criteria).evaluate(update('names'), new Map())
      assert.equal(verdict.kind, 'undecided')
    })
  }

  for (const criteria of [
    Array(2000).fill('1').join('+'),
    Array(2000).fill('1').join('|'),
    `${'('.repeat(2000)}true${')'.repeat(2000)}`,
    `${'iif('.repeat(500)}a${',b)'.repeat(500)}`,
  ]) {
    it(`that is long to parse is refused unparsed: ${short(criteria)}`, () => {
      const trigger = [{ resource: 'Patient', fhirPathCriteria: criteria }]
      const issues = checkTopicTriggers({ resourceType: 'AidboxSubscriptionTopic', trigger })
      assert.deepEqual(
        issues.map(({ details }) => details?.text),
        ['The expression has more than 600 parts; split it into several triggers.'],
      )
    })
  }
})
