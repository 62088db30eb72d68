import assert from 'node:assert/strict'
import { beforeEach, describe, it } from 'node:test'
import type { Change, Interaction } from '../../../src/host/types.ts'
import { fhirPathEngine, type CriteriaEngine } from '../../../src/triggers/criteria-engine.ts'
import { parseSubscriptionTopic } from '../../../src/triggers/subscription-topic.ts'
import { TopicIndex } from '../../../src/triggers/topic-index.ts'

interface Trigger {
  resource: string
  supportedInteraction?: readonly Interaction[]
  fhirPathCriteria?: string
}

function put(index: TopicIndex, url: string, ...trigger: Trigger[]): void {
  const resource = {
    resourceType: 'AidboxSubscriptionTopic',
    id: url,
    url,
    status: 'active',
    trigger,
  }
  index.put(parseSubscriptionTopic(resource))
}

function change(resourceType: string, interaction: Interaction, elements: object = {}): Change {
  const resource = { resourceType, id: '1', ...elements }
  return {
    interaction,
    resourceType,
    id: '1',
    ...(interaction === 'delete' ? {} : { current: resource }),
    ...(interaction === 'create' ? {} : { previous: resource }),
  }
}

describe('TopicIndex', () => {
  let index: TopicIndex
  beforeEach(() => {
    index = new TopicIndex()
  })

  const fired = (of: Change): string[] => index.match(of).fired.toSorted()

  it('fires on the listed interactions, or on all when none is listed', () => {
    put(index, 'some', { resource: 'Patient', supportedInteraction: ['create', 'delete'] })
    put(index, 'all', { resource: 'Patient' })
    assert.deepEqual(fired(change('Patient', 'create')), ['all', 'some'])
    assert.deepEqual(fired(change('Patient', 'update')), ['all'])
    assert.deepEqual(fired(change('Patient', 'delete')), ['all', 'some'])
    assert.deepEqual(fired(change('Observation', 'create')), [])
  })

  it('takes the url of a type for the type', () => {
    put(index, 'url', { resource: 'http://hl7.org/fhir/StructureDefinition/Patient' })
    assert.deepEqual(fired(change('Patient', 'create')), ['url'])
  })

  it('fires for every type that a wide trigger covers, also for types put or seen later', () => {
    assert.deepEqual(fired(change('Patient', 'create')), [])
    put(index, 'any', { resource: 'Resource' })
    put(index, 'domain', { resource: 'DomainResource', fhirPathCriteria: "id = '1'" })
    put(index, 'patient', { resource: 'Patient' })
    assert.deepEqual(fired(change('Patient', 'create')), ['any', 'domain', 'patient'])
    assert.deepEqual(fired(change('Binary', 'create')), ['any'])
    assert.deepEqual(fired(change('MyCustomType', 'create')), ['any', 'domain'])
    index.remove('any')
    index.remove('domain')
    assert.deepEqual(fired(change('Patient', 'create')), ['patient'])
    assert.deepEqual(fired(change('Binary', 'create')), [])
  })

  it('joins the triggers of a topic with or, and fires it once', () => {
    put(
      index,
      'both',
      { resource: 'Patient', fhirPathCriteria: 'active' },
      { resource: 'Patient', fhirPathCriteria: "gender = 'male'" },
      { resource: 'Resource' },
    )
    assert.deepEqual(fired(change('Patient', 'create', { active: true, gender: 'male' })), ['both'])
  })

  it('lets a trigger that is true win over one that cannot be decided', () => {
    const failing = { resource: 'Patient', fhirPathCriteria: 'name.family and true' }
    const name = [{ family: 'A' }, { family: 'B' }]
    put(index, 'true', failing, { resource: 'Patient', fhirPathCriteria: 'active' })
    put(index, 'false', failing, { resource: 'Patient', fhirPathCriteria: 'active.not()' })
    const result = index.match(change('Patient', 'update', { active: true, name }))
    assert.deepEqual(result.fired, ['true'])
    assert.deepEqual(
      result.undecided.map(({ topicUrl }) => topicUrl),
      ['false'],
    )
    assert.match(result.undecided[0]?.error ?? '', /several items.*line 1, column/)
  })

  it('replaces and removes topics', () => {
    put(index, 'x', { resource: 'Patient', fhirPathCriteria: "gender = 'male'" })
    put(index, 'y', { resource: 'Patient', fhirPathCriteria: "gender = 'male'" })
    const male = change('Patient', 'create', { gender: 'male' })
    assert.deepEqual(fired(male), ['x', 'y'])
    put(index, 'x', { resource: 'Patient', fhirPathCriteria: "gender = 'female'" })
    assert.deepEqual(fired(male), ['y'])
    index.remove('y')
    index.remove('never there')
    assert.deepEqual(fired(male), [])
    assert.deepEqual(fired(change('Patient', 'create', { gender: 'female' })), ['x'])
  })

  it('leaves a stored criteria that is not valid undecided and goes on with the others', () => {
    put(index, 'bad', { resource: 'Patient', fhirPathCriteria: 'active = = true' })
    put(index, 'good', { resource: 'Patient', fhirPathCriteria: 'active = true' })
    const result = index.match(change('Patient', 'update', { active: true }))
    assert.deepEqual(result.fired, ['good'])
    assert.deepEqual(
      result.undecided.map(({ topicUrl }) => topicUrl),
      ['bad'],
    )
  })

  it('counts an element with an extension only as an item, as FHIRPath does', () => {
    put(index, 'given', { resource: 'Patient', fhirPathCriteria: "name.given = 'a'" })
    const only = { name: [{ given: ['a'] }] }
    const shadowed = { name: [{ given: ['a', null], _given: [null, { id: 'x' }] }] }
    assert.deepEqual(fired(change('Patient', 'create', only)), ['given'])
    assert.deepEqual(fired(change('Patient', 'create', shadowed)), [])
  })

  it('goes through a list that is longer than the stack', () => {
    put(index, 'plain', {
      resource: 'Group',
      fhirPathCriteria: "member.entity.reference = 'Patient/1'",
    })
    put(index, 'filtered', {
      resource: 'Group',
      fhirPathCriteria: "member.where(entity.reference = 'Patient/1').exists()",
    })
    const member = Array.from({ length: 200_000 }, (_, i) => ({
      entity: { reference: `Patient/${i}` },
    }))
    const result = index.match(change('Group', 'create', { member }))
    assert.deepEqual(result.fired, [])
    assert.deepEqual(
      result.undecided.map(({ topicUrl }) => topicUrl),
      ['filtered'],
    )
  })

  it('reads a backslash before a line break as the engine does', () => {
    put(index, 'a', { resource: 'Patient', fhirPathCriteria: "gender = '\\\n'" })
    assert.deepEqual(fired(change('Patient', 'create', { gender: '\n' })), [])
    assert.deepEqual(fired(change('Patient', 'create', { gender: '\\\n' })), ['a'])
  })

  it('lets wide topics join the buckets of a new type while they change', async () => {
    const wide = { resource: 'Resource', fhirPathCriteria: "id = '1'" }
    for (let n = 0; n < 6; n++) put(index, `wide-${n}`, wide)
    const pauses: (() => void)[] = [
      () => {
        index.remove('wide-0')
        index.remove('wide-5')
        put(index, 'wide-1', { ...wide, fhirPathCriteria: "id = '2'" })
        put(index, 'wide-2', wide)
        put(index, 'wide-6', wide)
        put(index, 'patient', { resource: 'Patient', fhirPathCriteria: "id = '1'" })
        assert.deepEqual(fired(change('Binary', 'create')), [
          'wide-2',
          'wide-3',
          'wide-4',
          'wide-6',
        ])
      },
      () => {
        index.remove('patient')
        put(index, 'patient', { resource: 'Patient' })
        index.remove('wide-3')
      },
    ]
    const of = change('Patient', 'create')
    const twice = [1, 2].map(() =>
      index.matchInTurns(of, undefined, async () => {
        pauses.shift()?.()
        await Promise.resolve()
      }),
    )
    for (const result of await Promise.all(twice)) {
      assert.deepEqual(result.fired.toSorted(), ['patient', 'wide-2', 'wide-4', 'wide-6'])
    }
    for (const url of ['wide-2', 'wide-4', 'wide-6', 'patient']) index.remove(url)
    assert.deepEqual(fired(of), [])
    put(index, 'wide-0', wide)
    assert.deepEqual(fired(of), ['wide-0'])
  })

  for (const resource of ['Observation', 'Resource']) {
    it(`meets a topic on ${resource} that is replaced while its number is read`, async () => {
      const trigger = { resource, fhirPathCriteria: 'value > 1' }
      put(index, 'only', trigger)
      let replacements = 0
      const of = change('Observation', 'create', { valueInteger: 2 })
      const { fired: found } = await index.matchInTurns(of, undefined, async () => {
        if (replacements++ < 5) put(index, 'only', trigger)
        await Promise.resolve()
      })
      assert.deepEqual(found, ['only'])
      assert.ok(replacements > 0)
    })
  }

  it('pauses for each wide topic that joins', async () => {
    for (let n = 0; n < 50; n++) {
      put(index, `${n}`, { resource: 'Resource', fhirPathCriteria: `id = '${n}'` })
    }
    const pausesOf = async (): Promise<number> => {
      let pauses = 0
      await index.matchInTurns(change('Patient', 'create'), undefined, () => {
        pauses++
        return Promise.resolve()
      })
      return pauses
    }
    // One criteria is met.
    assert.deepEqual([await pausesOf(), await pausesOf()], [51, 1])
  })

  it('evaluates a criteria once per change, and none that the change cannot make true', () => {
    const evaluated: string[] = []
    const counting: CriteriaEngine = {
      compile(text) {
        const criteria = fhirPathEngine.compile(text)
        return {
          facts: () => criteria.facts(),
          guards: (resourceType) => criteria.guards(resourceType),
          evaluate(of, resolved) {
            evaluated.push(text)
            return criteria.evaluate(of, resolved)
          },
        }
      },
    }
    index = new TopicIndex(counting)
    for (let i = 0; i < 300; i++) {
      const where = `code.coding.where(system = 'http://loinc.org' and code = '${i % 100}').exists()`
      put(index, `coded-${i}`, { resource: 'Observation', fhirPathCriteria: where })
      const equal = `subject.reference = 'Patient/${i}' and status = 'final'`
      put(index, `subject-${i}`, { resource: 'Resource', fhirPathCriteria: equal })
    }
    const of = change('Observation', 'update', {
      status: 'final',
      subject: { reference: 'Patient/5' },
      code: { coding: [{ system: 'http://loinc.org', code: '7' }, { code: '7' }] },
    })
    assert.deepEqual(fired(of), ['coded-107', 'coded-207', 'coded-7', 'subject-5'])
    assert.deepEqual(evaluated, [
      "code.coding.where(system = 'http://loinc.org' and code = '7').exists()",
    ])
  })
})
