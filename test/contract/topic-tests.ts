import assert from 'node:assert/strict'
import { uniqueName } from '../helpers/kafka.ts'
import { assertRefused, withoutVersion } from './answers.ts'
import type { ContractServer } from './contract-server.ts'
import type { RowTest } from './row-test.ts'
import { actionsOnly, selectedBy, selectedSoFar } from './selected.ts'
import type { topicRows } from './topic-rows.ts'

const patient = (id: string, more: object = {}) => ({ resourceType: 'Patient', id, ...more })

/** Creates, updates and deletes a Patient. */
async function createUpdateDelete({ fhir }: ContractServer, id: string): Promise<void> {
  await fhir.put(patient(id, { active: true }))
  await fhir.put(patient(id, { active: false }))
  await fhir.ok('DELETE', `/Patient/${id}`)
}

/** Writes the resource once with each of these elements. */
async function writeStates(
  { fhir }: ContractServer,
  resource: { resourceType: string; id: string },
  states: readonly object[],
): Promise<void> {
  for (const state of states) await fhir.put({ ...resource, ...state })
}

const jsonPatch = (active: boolean) => [{ op: 'add', path: '/active', value: active }]
const fhirPathPatch = (active: boolean) => ({
  resourceType: 'Parameters',
  parameter: [
    {
      name: 'operation',
      part: [
        { name: 'type', valueCode: 'replace' },
        { name: 'path', valueString: 'Patient.active' },
        { name: 'value', valueBoolean: active },
      ],
    },
  ],
})

/** Sets `active` by a JSON Patch, then by a merge patch, then by a FHIRPath Patch. */
async function patchInEveryWay(
  { fhir }: ContractServer,
  id: string,
  [first, second, third]: readonly [boolean, boolean, boolean],
): Promise<void> {
  const patches = [
    ['application/json-patch+json', jsonPatch(first)],
    ['application/merge-patch+json', { active: second }],
    ['application/fhir+json', fhirPathPatch(third)],
  ] as const
  for (const [contentType, patch] of patches) {
    await fhir.ok('PATCH', `/Patient/${id}`, patch, { 'content-type': contentType })
  }
}

const becomes = (code: string) => ({ status: code })
const observation = (id: string) => ({
  resourceType: 'Observation',
  id,
  code: { text: 'Glucose' },
})

export const topicTests: Record<keyof typeof topicRows, RowTest> = {
  'topic-url': async (contract) => {
    const { url: _absent, ...without } = contract.topic({ resource: 'Patient' })
    const post = (topic: object) => contract.fhir.request('POST', '/AidboxSubscriptionTopic', topic)
    assertRefused(await post(without), 'AidboxSubscriptionTopic.url')
    assertRefused(await post({ ...without, url: ['a', 'b'] }), 'AidboxSubscriptionTopic.url')
  },

  'topic-url-unique': async (contract) => {
    const first = contract.topic({ resource: 'Patient' })
    const second = { ...contract.topic({ resource: 'Group' }), url: first['url'] }
    await contract.fhir.put(first)
    const answer = await contract.fhir.request('POST', '/AidboxSubscriptionTopic', second)
    const { code } = assertRefused(answer, 'AidboxSubscriptionTopic.url')
    assert.equal(code, 'duplicate')
  },

  'topic-status': async (contract) => {
    const { status: _absent, ...without } = contract.topic({ resource: 'Patient' })
    for (const status of ['draft', 'active', 'retired', 'unknown']) {
      const stored = await contract.fhir.put({ ...without, id: without.id, status })
      assert.equal(stored['status'], status)
    }
    for (const wrong of [without, { ...without, status: 'enabled' }]) {
      const answer = await contract.fhir.request(
        'PUT',
        `/AidboxSubscriptionTopic/${without.id}`,
        wrong,
      )
      assertRefused(answer, 'AidboxSubscriptionTopic.status')
    }
  },

  'topic-only-active-fires': async (contract) => {
    const id = uniqueName('p')
    const followed = await contract.follow({ resource: 'Patient' }, actionsOnly)
    for (const status of ['draft', 'retired', 'unknown', 'active']) {
      await contract.fhir.put({ ...followed.topic, status })
      await contract.fhir.put(patient(`${id}-${status}`))
    }
    assert.deepEqual(await selectedSoFar(contract, followed), [`create Patient/${id}-active`])
  },

  'topic-without-trigger': async (contract) => {
    const followed = await contract.follow([], actionsOnly)
    assert.equal(followed.topic['trigger'], undefined)
    await createUpdateDelete(contract, uniqueName('p'))
    assert.deepEqual(await selectedSoFar(contract, followed), [])
  },

  'topic-several-triggers': async (contract) => {
    const id = uniqueName('p')
    const triggers = [
      { resource: 'Patient', fhirPathCriteria: 'active = true' },
      { resource: 'Patient', fhirPathCriteria: "gender = 'female'" },
      { resource: 'Group' },
    ]
    const selected = await selectedBy(contract, triggers, async () => {
      const states = [
        {},
        { active: true },
        { gender: 'female' },
        { active: true, gender: 'female' },
      ]
      await writeStates(contract, patient(id), states)
    })
    assert.deepEqual(selected, Array(3).fill(`update Patient/${id}`))
  },

  'topic-unknown-element': async (contract) => {
    const topic = contract.topic({ resource: 'Patient' })
    for (const [wrong, path] of [
      [{ ...topic, colour: 'red' }, 'AidboxSubscriptionTopic.colour'],
      [
        { ...topic, trigger: [{ resource: 'Patient', colour: 'red' }] },
        'AidboxSubscriptionTopic.trigger',
      ],
    ] as const) {
      const answer = await contract.fhir.request('POST', '/AidboxSubscriptionTopic', wrong)
      assertRefused(answer, path)
    }
  },

  'topic-keeps-id': async (contract) => {
    const topic = contract.topic({ resource: 'Patient' })
    const answer = await contract.fhir.request('POST', '/AidboxSubscriptionTopic', topic)
    assert.equal(answer.status, 201)
    assert.equal(answer.body['id'], topic.id)
    const stored = await contract.fhir.ok('GET', `/AidboxSubscriptionTopic/${topic.id}`)
    assert.deepEqual(withoutVersion(stored), topic)
  },

  'topic-search-url': async (contract) => {
    const [topic, other] = [contract.topic({ resource: 'Patient' }), contract.topic([])]
    await contract.create(topic, other)
    const found = await contract.fhir.ok(
      'GET',
      `/AidboxSubscriptionTopic?url=${String(topic['url'])}`,
    )
    const entries = found['entry'] as { resource: { id: string } }[]
    assert.deepEqual(
      entries.map(({ resource }) => resource.id),
      [topic.id],
    )
  },

  'topic-put': async (contract) => {
    const id = uniqueName('p')
    const followed = await contract.follow({ resource: 'Patient' }, actionsOnly)
    const trigger = (active: boolean) => [
      { resource: 'Patient', fhirPathCriteria: `active = ${active}` },
    ]
    // Each time the write that follows the answer is matched by the new trigger.
    for (let turn = 0; turn < 4; turn++) {
      const wanted = turn % 2 === 0
      await contract.fhir.put({ ...followed.topic, trigger: trigger(wanted) })
      await contract.fhir.put(patient(`${id}-${turn}-no`, { active: !wanted }))
      await contract.fhir.put(patient(`${id}-${turn}`, { active: wanted }))
    }
    assert.deepEqual(
      await selectedSoFar(contract, followed),
      [0, 1, 2, 3].map((turn) => `create Patient/${id}-${turn}`),
    )
  },

  'topic-patch': async (contract) => {
    const id = uniqueName('p')
    const followed = await contract.follow({ resource: 'Group' }, actionsOnly)
    const path = `/AidboxSubscriptionTopic/${followed.topic.id}`
    await contract.fhir.ok('PATCH', path, [
      { op: 'replace', path: '/trigger/0/resource', value: 'Patient' },
    ])
    await contract.fhir.put(patient(id))
    assert.deepEqual(await selectedSoFar(contract, followed), [`create Patient/${id}`])
  },

  'topic-deleted': async (contract) => {
    const id = uniqueName('p')
    const followed = await contract.follow({ resource: 'Patient' }, actionsOnly)
    await contract.fhir.put(patient(id))
    await contract.fhir.ok('DELETE', `/AidboxSubscriptionTopic/${followed.topic.id}`)
    await contract.fhir.put(patient(id, { active: true }))
    assert.deepEqual(await selectedSoFar(contract, followed), [`create Patient/${id}`])
  },

  'trigger-resource': async (contract) => {
    const id = uniqueName('p')
    const byUrl = { resource: 'http://hl7.org/fhir/StructureDefinition/Patient' }
    const selected = await selectedBy(contract, [byUrl, { resource: 'Group' }], async () => {
      await contract.fhir.put(patient(id))
      await contract.fhir.put({ resourceType: 'Group', id, type: 'person', actual: true })
      await contract.fhir.put({ resourceType: 'Basic', id, code: { text: 'x' } })
    })
    assert.deepEqual(selected, [`create Patient/${id}`, `create Group/${id}`])
    const without = contract.topic({ supportedInteraction: ['create'] })
    const answer = await contract.fhir.request('POST', '/AidboxSubscriptionTopic', without)
    assertRefused(answer, 'AidboxSubscriptionTopic.trigger[0].resource')
  },

  'trigger-resource-unknown': async (contract) => {
    const { fhir } = contract
    const post = (resource: string) =>
      fhir.request('POST', '/AidboxSubscriptionTopic', contract.topic({ resource }))
    assert.equal((await post('HospitalBed')).status, 201)
    assertRefused(await post('no type'), 'AidboxSubscriptionTopic.trigger[0].resource')
  },

  'trigger-interactions': async (contract) => {
    const id = uniqueName('p')
    const kinds = ['create', 'update', 'delete'] as const
    const listening = []
    for (const kind of kinds) {
      const trigger = { resource: 'Patient', supportedInteraction: [kind] }
      listening.push(await contract.follow(trigger, actionsOnly))
    }
    await createUpdateDelete(contract, id)
    for (const [index, kind] of kinds.entries()) {
      const [followed] = listening.slice(index)
      assert.ok(followed)
      assert.deepEqual(await selectedSoFar(contract, followed), [`${kind} Patient/${id}`])
    }
    const unknown = contract.topic({ resource: 'Patient', supportedInteraction: ['read'] })
    const answer = await contract.fhir.request('POST', '/AidboxSubscriptionTopic', unknown)
    assertRefused(answer, 'AidboxSubscriptionTopic.trigger[0].supportedInteraction')
  },

  'trigger-all-interactions': async (contract) => {
    const id = uniqueName('p')
    const selected = await selectedBy(contract, { resource: 'Patient' }, () =>
      createUpdateDelete(contract, id),
    )
    assert.deepEqual(
      selected,
      ['create', 'update', 'delete'].map((kind) => `${kind} Patient/${id}`),
    )
  },

  'trigger-description': async (contract) => {
    const id = uniqueName('p')
    const trigger = { resource: 'Patient', description: '**never** `false`' }
    const followed = await contract.follow(trigger, actionsOnly)
    const stored = await contract.fhir.ok('GET', `/AidboxSubscriptionTopic/${followed.topic.id}`)
    assert.deepEqual(stored['trigger'], [trigger])
    await contract.fhir.put(patient(id))
    assert.deepEqual(await selectedSoFar(contract, followed), [`create Patient/${id}`])
  },

  'trigger-filters': async (contract) => {
    const id = uniqueName('p')
    const canFilterBy = [
      {
        filterParameter: 'gender',
        comparator: ['eq', 'ne'],
        filterDefinitionFhirPathExpression: "gender = 'female'",
        description: 'By *gender*.',
      },
      {
        filterParameter: 'born',
        comparator: ['gt', 'lt', 'ge', 'le', 'sa', 'eb', 'ap'],
        filterDefinitionFhirPathExpression: 'birthDate',
      },
    ]
    const followed = await contract.follow({ resource: 'Patient', canFilterBy }, actionsOnly)
    const stored = await contract.fhir.ok('GET', `/AidboxSubscriptionTopic/${followed.topic.id}`)
    assert.deepEqual(stored['trigger'], [{ resource: 'Patient', canFilterBy }])
    await contract.fhir.put(patient(id, { gender: 'male' }))
    assert.deepEqual(await selectedSoFar(contract, followed), [`create Patient/${id}`])
  },

  'trigger-filter-elements': async (contract) => {
    const whole = {
      filterParameter: 'gender',
      comparator: ['eq'],
      filterDefinitionFhirPathExpression: 'gender',
    }
    const path = 'AidboxSubscriptionTopic.trigger[0].canFilterBy[0]'
    for (const element of Object.keys(whole)) {
      const rest = Object.fromEntries(Object.entries(whole).filter(([name]) => name !== element))
      const topic = contract.topic({ resource: 'Patient', canFilterBy: [rest] })
      const answer = await contract.fhir.request('POST', '/AidboxSubscriptionTopic', topic)
      assertRefused(answer, `${path}.${element}`)
    }
    const unknown = { ...whole, comparator: ['like'] }
    const topic = contract.topic({ resource: 'Patient', canFilterBy: [unknown] })
    const answer = await contract.fhir.request('POST', '/AidboxSubscriptionTopic', topic)
    assertRefused(answer, `${path}.comparator`)
  },

  'trigger-patch-is-update': async (contract) => {
    const id = uniqueName('p')
    await contract.fhir.put(patient(id, { active: true }))
    const trigger = { resource: 'Patient', supportedInteraction: ['update'] }
    const selected = await selectedBy(contract, trigger, () =>
      patchInEveryWay(contract, id, [false, true, false]),
    )
    assert.deepEqual(selected, Array(3).fill(`update Patient/${id}`))
  },

  'trigger-no-op-patch': async (contract) => {
    const id = uniqueName('p')
    await contract.fhir.put(patient(id, { active: true }))
    const selected = await selectedBy(contract, { resource: 'Patient' }, () =>
      patchInEveryWay(contract, id, [true, true, true]),
    )
    assert.deepEqual(selected, [])
  },

  'criteria-absent': async (contract) => {
    const id = uniqueName('p')
    const trigger = { resource: 'Patient', supportedInteraction: ['create', 'update'] }
    const selected = await selectedBy(contract, trigger, async () => {
      await createUpdateDelete(contract, id)
      await contract.fhir.put(patient(`${id}-2`))
    })
    assert.deepEqual(selected, [
      `create Patient/${id}`,
      `update Patient/${id}`,
      `create Patient/${id}-2`,
    ])
  },

  'criteria-empty-text': async (contract) => {
    for (const fhirPathCriteria of ['', ' ']) {
      const topic = contract.topic({ resource: 'Patient', fhirPathCriteria })
      const answer = await contract.fhir.request('POST', '/AidboxSubscriptionTopic', topic)
      assertRefused(answer, 'AidboxSubscriptionTopic.trigger[0].fhirPathCriteria')
    }
  },

  'criteria-sees': async (contract) => {
    const id = uniqueName('p')
    const fhirPathCriteria =
      "Patient.gender = 'female' and gender = 'female' and %current.gender = 'female' and %previous.gender = 'male'"
    const selected = await selectedBy(contract, { resource: 'Patient', fhirPathCriteria }, () =>
      writeStates(contract, patient(id), [
        { gender: 'female' },
        { gender: 'male' },
        { gender: 'female' },
        { gender: 'female', active: true },
      ]),
    )
    assert.deepEqual(selected, [`update Patient/${id}`])
  },

  'criteria-previous-on-create': async (contract) => {
    const id = uniqueName('p')
    const fhirPathCriteria =
      '%previous.empty() and %previous.active.empty() and %previous.exists().not() and %current.active = true'
    const selected = await selectedBy(contract, { resource: 'Patient', fhirPathCriteria }, () =>
      createUpdateDelete(contract, id),
    )
    assert.deepEqual(selected, [`create Patient/${id}`])
  },

  'criteria-current-on-delete': async (contract) => {
    const id = uniqueName('p')
    const fhirPathCriteria =
      '%current.empty() and %current.active.empty() and %previous.active = false'
    const selected = await selectedBy(contract, { resource: 'Patient', fhirPathCriteria }, () =>
      createUpdateDelete(contract, id),
    )
    assert.deepEqual(selected, [`delete Patient/${id}`])
  },

  'criteria-one-of-two-codes': async (contract) => {
    const id = uniqueName('q')
    const trigger = {
      resource: 'QuestionnaireResponse',
      fhirPathCriteria: "status = 'completed' or status = 'amended'",
    }
    const selected = await selectedBy(contract, trigger, async () => {
      const states = ['in-progress', 'completed', 'stopped', 'amended'].map(becomes)
      await writeStates(contract, { resourceType: 'QuestionnaireResponse', id }, states)
    })
    assert.deepEqual(selected, Array(2).fill(`update QuestionnaireResponse/${id}`))
  },

  'criteria-transition': async (contract) => {
    const id = uniqueName('q')
    const trigger = {
      resource: 'QuestionnaireResponse',
      supportedInteraction: ['update'],
      fhirPathCriteria: "%previous.status = 'in-progress' and %current.status = 'completed'",
    }
    const selected = await selectedBy(contract, trigger, async () => {
      const response = { resourceType: 'QuestionnaireResponse', id }
      const states = ['stopped', 'completed', 'in-progress', 'completed'].map(becomes)
      await writeStates(contract, response, states)
    })
    assert.deepEqual(selected, [`update QuestionnaireResponse/${id}`])
  },

  'criteria-becomes-final': async (contract) => {
    const id = uniqueName('o')
    const trigger = {
      resource: 'Observation',
      fhirPathCriteria: "%current.status = 'final' and %previous.status != 'final'",
    }
    const selected = await selectedBy(contract, trigger, async () => {
      await writeStates(contract, observation(id), ['final', 'amended', 'final'].map(becomes))
      await contract.fhir.put({ ...observation(id), status: 'final', language: 'en' })
    })
    assert.deepEqual(selected, [`update Observation/${id}`])
  },

  'criteria-becomes-final-or-created': async (contract) => {
    const id = uniqueName('o')
    const trigger = {
      resource: 'Observation',
      fhirPathCriteria:
        "%current.status = 'final' and (%previous.empty() or %previous.status != 'final')",
    }
    const selected = await selectedBy(contract, trigger, async () => {
      await writeStates(contract, observation(id), ['final', 'amended', 'final'].map(becomes))
      await contract.fhir.put({ ...observation(id), status: 'final', language: 'en' })
    })
    assert.deepEqual(selected, [`create Observation/${id}`, `update Observation/${id}`])
  },

  'criteria-value-changes': async (contract) => {
    const id = uniqueName('p')
    const trigger = {
      resource: 'Patient',
      fhirPathCriteria: '%current.birthDate != %previous.birthDate',
    }
    const selected = await selectedBy(contract, trigger, () =>
      writeStates(contract, patient(id), [
        { birthDate: '1970-01-01' },
        { birthDate: '1970-01-01', active: true },
        { birthDate: '1970-01-02', active: true },
      ]),
    )
    assert.deepEqual(selected, [`update Patient/${id}`])
  },

  'criteria-identifier-added': async (contract) => {
    const id = uniqueName('p')
    const has = "identifier.where(type.coding.code = 'LAB').exists()"
    const trigger = {
      resource: 'Patient',
      fhirPathCriteria: `%current.${has} and %previous.${has}.not()`,
    }
    const identifier = (code: string) => ({ type: { coding: [{ code }] }, value: code })
    const selected = await selectedBy(contract, trigger, () =>
      writeStates(contract, patient(id), [
        { identifier: [identifier('MR')] },
        { identifier: [identifier('MR'), identifier('LAB')] },
        { identifier: [identifier('LAB')] },
      ]),
    )
    assert.deepEqual(selected, [`update Patient/${id}`])
  },

  'criteria-resolve': async (contract) => {
    const id = uniqueName('e')
    const trigger = {
      resource: 'Encounter',
      fhirPathCriteria:
        "subject.resolve().identifier.where(system.contains('patient-portal')).exists() and %current.status = 'finished' and %previous.status = 'in-progress'",
    }
    const selected = await selectedBy(contract, trigger, async () => {
      for (const system of ['http://example.org/patient-portal', 'http://example.org/mrn']) {
        const name = `${id}-${system.slice(19)}`
        await contract.fhir.put(patient(name, { identifier: [{ system, value: '1' }] }))
        const encounter = {
          resourceType: 'Encounter',
          id: name,
          class: { code: 'AMB' },
          subject: { reference: `Patient/${name}` },
        }
        await writeStates(contract, encounter, ['in-progress', 'finished'].map(becomes))
      }
    })
    assert.deepEqual(selected, [`update Encounter/${id}-patient-portal`])
  },

  'criteria-malformed': async (contract) => {
    const topic = contract.topic({
      resource: 'Patient',
      fhirPathCriteria: "active = true and\n  gender == 'female'",
    })
    const answer = await contract.fhir.request('POST', '/AidboxSubscriptionTopic', topic)
    const path = 'AidboxSubscriptionTopic.trigger[0].fhirPathCriteria'
    assert.match(assertRefused(answer, path).diagnostics ?? '', /line 2, column \d+/)
    const stored = await contract.fhir.request('GET', `/AidboxSubscriptionTopic/${topic.id}`)
    assert.equal(stored.status, 404)
  },

  'criteria-fails': async (contract) => {
    const id = uniqueName('p')
    // Two names make it more than the one value that a comparison takes.
    const trigger = { resource: 'Patient', fhirPathCriteria: "name.family > 'M'" }
    const followed = await contract.follow(trigger, actionsOnly)
    const named = (...families: string[]) => ({ name: families.map((family) => ({ family })) })
    await contract.fhir.put(patient(`${id}-two`, named('Able', 'Zulu')))
    await contract.fhir.put(patient(id, named('Zulu')))
    assert.deepEqual(await selectedSoFar(contract, followed), [`create Patient/${id}`])
    const { count } = await contract.fhir.status(followed.id)
    assert.equal(count('messagesUndecided'), 1)
  },
}
