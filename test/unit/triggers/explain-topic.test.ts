import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import type { Change, FhirHost, FhirResource } from '../../../src/host/types.ts'
import {
  explainTopic,
  type ExplainedPart,
  type ExplainedTopic,
  type ExplainedTrigger,
} from '../../../src/triggers/explain-topic.ts'
import { matchChanges } from '../../../src/triggers/match-changes.ts'
import { parseSubscriptionTopic } from '../../../src/triggers/subscription-topic.ts'
import { TopicIndex } from '../../../src/triggers/topic-index.ts'
import { deepFreeze, readFixture } from './fixtures.ts'

const organizationUrl = 'https://aidbox.app/tenant-organization-id'

function topicOf(triggers: readonly object[], organization?: string) {
  const valueReference = { reference: organization }
  const meta = { extension: [{ url: organizationUrl, valueReference }] }
  return parseSubscriptionTopic({
    resourceType: 'AidboxSubscriptionTopic',
    id: 't',
    url: 't',
    status: 'active',
    ...(organization === undefined ? {} : { meta }),
    trigger: triggers,
  })
}

const observation = (elements: object): FhirResource => ({
  resourceType: 'Observation',
  id: 'o',
  ...elements,
})

function update(current: object, previous: object): Change {
  return deepFreeze({
    interaction: 'update',
    resourceType: 'Observation',
    id: 'o',
    current: observation(current),
    previous: observation(previous),
  })
}

const noReads: FhirHost['read'] = () => assert.fail('nothing is to be read')

async function explainOne(
  criteria: string,
  change: Change,
  read = noReads,
  resource = 'Observation',
): Promise<ExplainedTrigger> {
  const topic = topicOf([{ resource, fhirPathCriteria: criteria }])
  const explained = await explainTopic(topic, change, read)
  const [trigger, ...others] = explained.triggers
  assert.ok(trigger && others.length === 0)
  assert.equal(explained.fires, trigger.fires)
  return trigger
}

type Shown = [text: string, result: string, ...operands: Shown[]]

function shown({ text, value, operands }: ExplainedPart): Shown {
  const result =
    value.kind === 'value'
      ? value.values.map((each) => `${each.text ?? ''}:${each.type}`).join(' ')
      : value.kind
  return [text, result, ...operands.map(shown)]
}

describe('explainTopic', () => {
  it('a trigger on another type, on another interaction, without criteria', async () => {
    const change = update({ status: 'final' }, {})
    const { triggers, fires } = await explainTopic(
      topicOf([
        { resource: 'Patient', fhirPathCriteria: 'active' },
        { resource: 'Observation', supportedInteraction: ['create', 'delete'] },
        { resource: 'http://hl7.org/fhir/StructureDefinition/DomainResource' },
      ]),
      change,
      noReads,
    )
    assert.equal(fires, true)
    assert.deepEqual(triggers, [
      { decidedBy: 'resource', fires: false, parts: [] },
      { decidedBy: 'interaction', fires: false, parts: [] },
      { decidedBy: 'no-criteria', fires: true, parts: [] },
    ])
  })

  it('criteria that is evaluated: what each part and each side of a comparison came to', async () => {
    const trigger = await explainOne(
      "(%previous.empty() or %previous.status != 'final') and %current.status in category.text and value.ofType(Quantity).value + 1 > 10",
      update(
        {
          status: 'final',
          category: [{ text: 'final' }, { text: 'lab' }],
          valueQuantity: { value: 5 },
        },
        { status: 'preliminary' },
      ),
    )
    assert.equal(trigger.decidedBy, 'criteria')
    assert.equal(trigger.fires, false)
    assert.deepEqual(trigger.parts.map(shown), [
      ['%previous.empty()', 'false'],
      ["%previous.status != 'final'", 'true', ['%previous.status', 'preliminary:FHIR.code']],
      [
        '%current.status in category.text',
        'true',
        ['%current.status', 'final:FHIR.code'],
        ['category.text', 'final:FHIR.string lab:FHIR.string'],
      ],
      [
        'value.ofType(Quantity).value + 1 > 10',
        'false',
        ['value.ofType(Quantity).value + 1', '6:System.Integer'],
      ],
    ])
    assert.ok(trigger.steps !== undefined && trigger.steps > 10)
  })

  it('the guard that was not met, and the parts although nothing had to be evaluated', async () => {
    const trigger = await explainOne(
      "value > 10 and code.coding.where(system = 's' and code = 'x').exists()",
      update({ code: { coding: [{ system: 's', code: 'y' }] } }, {}),
    )
    const { parts, ...decision } = trigger
    assert.deepEqual(decision, {
      decidedBy: 'guard',
      fires: false,
      guard: "'x' in %current.code.coding.code",
    })
    assert.deepEqual(parts.map(shown), [
      ['value > 10', 'empty', ['value', 'empty']],
      ["code.coding.where(system = 's' and code = 'x').exists()", 'false'],
    ])
  })

  for (const [value, decidedBy, guard] of [
    [11, 'exact', undefined],
    [10.0, 'exact', 'value.ofType(Quantity).value > 10'],
    [-1, 'exact', 'value.ofType(Quantity).value > 10'],
    [undefined, 'exact', 'value.ofType(Quantity).value > 10'],
    ['11', 'criteria', undefined],
  ] as const) {
    it(`a comparison with a number, of ${JSON.stringify(value)}`, async () => {
      const trigger = await explainOne(
        "status = 'final' and 10.0 < value.ofType(Quantity).value",
        update({ status: 'final', valueQuantity: { value } }, {}),
      )
      assert.equal(trigger.decidedBy, decidedBy)
      assert.equal(trigger.guard, guard)
      assert.equal(trigger.fires, decidedBy === 'criteria' ? undefined : guard === undefined)
      assert.equal(trigger.parts.length, 2)
    })
  }

  for (const [status, fires, guard] of [
    ['amended', true, undefined],
    ['draft', false, "%current.status = 'final' or %current.status = 'amended'"],
  ] as const) {
    it(`the index alone, status ${status}`, async () => {
      const { parts, ...decision } = await explainOne(
        "(status = 'final' or status = 'amended') and %previous.status = 'preliminary'",
        update({ status }, { status: 'preliminary' }),
      )
      assert.deepEqual(decision, {
        decidedBy: 'exact',
        fires,
        ...(guard === undefined ? {} : { guard }),
      })
      assert.equal(parts.length, 3)
    })
  }

  it('an error, where it was, and what was not reached', async () => {
    const change = update({ status: 'final', note: [{ text: 'a' }, { text: 'b' }] }, {})
    const trigger = await explainOne(
      "status.exists() and\n note.text > 'a' and %previous.status.empty()",
      change,
    )
    const { parts, steps, ...decision } = trigger
    assert.deepEqual(decision, {
      decidedBy: 'criteria',
      error: 'There are several items where one is expected.',
      position: { line: 2, column: 14 },
    })
    assert.ok(steps)
    assert.deepEqual(parts.map(shown), [
      ['status.exists()', 'true'],
      ["note.text > 'a'", 'error', ['note.text', 'a:FHIR.markdown b:FHIR.markdown']],
      ['%previous.status.empty()', 'not-evaluated'],
    ])
  })

  it('criteria that is stopped for its steps', async () => {
    const member = Array.from({ length: 300 }, () => ({ reference: 'Patient/p' }))
    const trigger = await explainOne(
      'hasMember.where(%current.hasMember.where(reference.empty()).exists()).exists()',
      update({ hasMember: member }, {}),
    )
    assert.match(trigger.error ?? '', /The criteria was stopped: it (takes|goes)/)
    assert.deepEqual(
      trigger.parts.map(({ value }) => value.kind),
      ['error'],
    )
  })

  it('stored criteria that no check has seen', async () => {
    const { decidedBy, error, position, parts } = await explainOne(
      "status = 'a' and nonsense(",
      update({ status: 'a' }, {}),
    )
    assert.equal(decidedBy, 'criteria')
    assert.match(error ?? '', /This is not FHIRPath/)
    assert.ok(position)
    assert.deepEqual(parts, [])
  })

  it('a result that is no boolean', async () => {
    const trigger = await explainOne('note', update({ note: [{ text: 'secret' }] }, {}))
    assert.equal(trigger.error, 'The result is not a boolean.')
    assert.deepEqual(trigger.parts.map(shown), [['note', ':FHIR.Annotation']])
  })

  it('values, cut off: the first five, 200 characters', async () => {
    const note = Array.from({ length: 9 }, (_, n) => ({ text: `${n}`.repeat(300) }))
    const { parts } = await explainOne("'x' in note.text", update({ note }, {}))
    const value = parts[0]?.operands[0]?.value
    assert.ok(value?.kind === 'value')
    assert.equal(value.count, 9)
    assert.deepEqual(
      value.values.map(({ text }) => text),
      [0, 1, 2, 3, 4].map((n) => `${`${n}`.repeat(200)}…`),
    )
  })

  it('resolve() reads through the host, and shows what it led to', async () => {
    const asked: string[][] = []
    const read: FhirHost['read'] = (references) => {
      asked.push([...references])
      return Promise.resolve(
        new Map([['Patient/p', { resourceType: 'Patient', id: 'p', gender: 'female' }]]),
      )
    }
    const change = update({ status: 'final', subject: { reference: 'Patient/p' } }, {})
    const trigger = await explainOne("subject.resolve().gender = 'female'", change, read)
    assert.equal(trigger.fires, true)
    assert.deepEqual(trigger.parts.map(shown), [
      [
        "subject.resolve().gender = 'female'",
        'true',
        ['subject.resolve().gender', 'female:FHIR.code'],
      ],
    ])
    assert.deepEqual(new Set(asked.flat()), new Set(['Patient/p']))
  })

  it('nothing is read for a part that the guard made unnecessary', async () => {
    const change = update({ status: 'draft', subject: { reference: 'Patient/p' } }, {})
    const { decidedBy, parts } = await explainOne(
      "subject.resolve().active and status = 'final'",
      change,
    )
    assert.equal(decidedBy, 'guard')
    assert.deepEqual(parts.map(shown), [
      ['subject.resolve().active', 'not-evaluated'],
      ["status = 'final'", 'false', ['status', 'draft:FHIR.code']],
    ])
  })

  it('a reference that cannot be read leaves it undecided', async () => {
    const change = update({ subject: { reference: 'Patient/p' } }, {})
    const trigger = await explainOne('subject.resolve().active', change, () =>
      Promise.reject(new TypeError('no')),
    )
    assert.equal(trigger.fires, undefined)
    assert.equal(trigger.error, 'The references could not be read (TypeError).')
  })

  it('one trigger that fires is enough, whatever another one cannot decide', async () => {
    const change = update({ status: 'final', note: [{ text: 'a' }, { text: 'b' }] }, {})
    const explained = await explainTopic(
      topicOf([
        { resource: 'Observation', fhirPathCriteria: "note.text > 'a'" },
        { resource: 'Observation', fhirPathCriteria: "status = 'final'" },
      ]),
      change,
      noReads,
    )
    assert.equal(explained.fires, true)
    assert.deepEqual(
      explained.triggers.map(({ fires }) => fires),
      [undefined, true],
    )
  })

  describe('a topic of an organization', () => {
    const of = (organization: string) => ({
      meta: { extension: [{ url: organizationUrl, valueReference: { reference: organization } }] },
    })
    const read: FhirHost['read'] = (references) => {
      if (references.includes('Organization/broken')) return Promise.reject(new TypeError('no'))
      const partOf = { reference: 'Organization/top' }
      return Promise.resolve(
        new Map(references.map((key) => [key, { resourceType: 'Organization', partOf }])),
      )
    }
    const topic = topicOf([{ resource: 'Observation' }], 'Organization/top')
    const cases: readonly [string, object, Omit<ExplainedTopic, 'triggers'>][] = [
      ['below', of('Organization/ward'), { fires: true, isOfOrganization: true }],
      ['without', {}, { fires: false, isOfOrganization: false }],
      [
        'unreadable',
        of('Organization/broken'),
        { error: 'The references could not be read (TypeError).' },
      ],
    ]
    for (const [name, current, expected] of cases) {
      it(name, async () => {
        const { triggers, ...explained } = await explainTopic(topic, update(current, {}), read)
        assert.deepEqual(explained, expected)
        assert.equal(triggers[0]?.fires, true)
      })
    }
  })

  interface Documented {
    resourceType: string
    criteria: string
    references?: Record<string, FhirResource>
    changes: Omit<Change, 'resourceType' | 'id'>[]
  }

  it('says of documented criteria what the index of live changes says', async () => {
    for (const documented of await readFixture<Documented[]>('criteria/documented.json')) {
      const { resourceType, criteria, references = {}, changes } = documented
      const read: FhirHost['read'] = () => Promise.resolve(new Map(Object.entries(references)))
      const topic = topicOf([{ resource: resourceType, fhirPathCriteria: criteria }])
      for (const states of changes) {
        const change: Change = { resourceType, id: '1', ...states }
        const index = new TopicIndex()
        index.put(topic)
        const [live] = await matchChanges(index, [change], undefined, read)
        const { fires, triggers } = await explainTopic(topic, change, read)
        assert.equal(fires, live?.fired.length === 1, criteria)
        assert.equal(triggers[0]?.fires, fires, criteria)
      }
    }
  })
})
