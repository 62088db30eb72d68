import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import type { OperationOutcome } from '@medplum/fhirtypes'
import { recordingLogger, type LogLine } from '../../helpers/recording-logger.ts'
import { topicResource } from '../../helpers/topic-resources.ts'
import { call } from '../server/http-server.ts'
import { issuesOf, parameters, reference, resource, serveTopics, told } from './served-topics.ts'

const encounter = (status: string, more: object = {}) => ({
  resourceType: 'Encounter',
  id: 'e',
  status,
  class: { system: 'http://terminology.hl7.org/CodeSystem/v3-ActCode', code: 'AMB' },
  ...more,
})

const finished = topicResource('finished', {
  resource: 'Encounter',
  supportedInteraction: ['update'],
  fhirPathCriteria: "%previous.status = 'in-progress' and %current.status = 'finished'",
})

describe('$explain', () => {
  it('a topic that is given, on a change that is given', async (t) => {
    const { ask } = await serveTopics(t)
    const answer = await ask(
      '$explain',
      resource('topic', finished),
      resource('previous', encounter('planned')),
      resource('current', encounter('finished')),
    )
    assert.equal(answer.status, 200, answer.text)
    assert.deepEqual(told(answer), {
      topic: finished['url'],
      interaction: 'update',
      fires: false,
      trigger: [
        {
          fires: false,
          decidedBy: 'exact',
          guard: "%previous.status = 'in-progress'",
          part: [
            {
              expression: "%previous.status = 'in-progress'",
              position: 'line 1, column 1',
              result: 'false',
              operand: [
                {
                  expression: '%previous.status',
                  position: 'line 1, column 1',
                  result: 'value',
                  value: [{ type: 'FHIR.code', text: 'planned' }],
                },
              ],
            },
            {
              expression: "%current.status = 'finished'",
              position: 'line 1, column 38',
              result: 'true',
              operand: [
                {
                  expression: '%current.status',
                  position: 'line 1, column 38',
                  result: 'value',
                  value: [{ type: 'FHIR.code', text: 'finished' }],
                },
              ],
            },
          ],
        },
      ],
    })
  })

  it('a stored topic, on stored versions and on the current one', async (t) => {
    const { ask, fhir } = await serveTopics(t)
    await fhir.put(finished)
    for (const status of ['planned', 'in-progress', 'finished']) await fhir.put(encounter(status))
    const fires = async (
      ...given: Parameters<typeof ask> extends [string, ...infer P] ? P : never
    ) => {
      const answer = await ask('finished/$explain', ...given)
      assert.equal(answer.status, 200, answer.text)
      return told(answer)['fires']
    }
    const version = (n: number) => `Encounter/e/_history/${n}`
    assert.equal(
      await fires(reference('previous', version(2)), reference('current', version(3))),
      true,
    )
    assert.equal(
      await fires(reference('previous', version(1)), reference('current', 'Encounter/e')),
      false,
    )
    assert.equal(
      await fires(resource('previous', encounter('in-progress')), reference('current', version(3))),
      true,
    )
    assert.equal(await fires(reference('current', version(3))), false, 'a create')
    assert.equal(await fires(reference('previous', version(3))), false, 'a delete')
  })

  it('an error with its place, warnings of the topic, and an undecided topic', async (t) => {
    const { ask } = await serveTopics(t)
    const topic = {
      ...topicResource('error', {
        resource: 'Patient',
        fhirPathCriteria: "active and\n(name.family | name.given) and name.family > 'A'",
      }),
      status: 'draft',
    }
    const answer = await ask(
      '$explain',
      resource('topic', topic),
      resource('current', {
        resourceType: 'Patient',
        active: true,
        name: [{ family: 'B' }, { family: 'C' }],
      }),
    )
    assert.equal(answer.status, 200, answer.text)
    const { fires, error, trigger, outcome } = told(answer)
    assert.equal(fires, undefined)
    assert.match(String(error), /several items where one is expected.*line 2, column \d+/)
    const [{ part, steps, ...failed }] = trigger as [Record<string, unknown>]
    assert.deepEqual(
      { ...failed, position: String(failed['position']).slice(0, 6) },
      {
        decidedBy: 'criteria',
        error: 'There are several items where one is expected.',
        position: 'line 2',
      },
    )
    assert.ok(Number(steps) > 0)
    assert.equal((part as unknown[]).length, 3)
    const { issue } = outcome as OperationOutcome
    assert.deepEqual(
      issue.map(({ severity, expression }) => [severity, expression?.[0]]),
      [
        ['warning', 'AidboxSubscriptionTopic.trigger[0].fhirPathCriteria'],
        ['information', 'AidboxSubscriptionTopic.status'],
      ],
    )
  })

  it('a write that changes nothing fires nothing', async (t) => {
    const { ask } = await serveTopics(t)
    const meta = (versionId: string) => ({ meta: { versionId } })
    const answer = await ask(
      '$explain',
      resource('topic', topicResource('all', { resource: 'Encounter' })),
      resource('previous', encounter('planned', meta('1'))),
      resource('current', encounter('planned', meta('2'))),
    )
    const { fires, outcome } = told(answer)
    assert.equal(fires, false)
    assert.match((outcome as OperationOutcome).issue[0]?.details?.text ?? '', /changes nothing/)
  })

  it('resolve() reads what is stored', async (t) => {
    const { ask, fhir } = await serveTopics(t)
    await fhir.put({ resourceType: 'Patient', id: 'p', gender: 'female' })
    const topic = topicResource('resolving', {
      resource: 'Encounter',
      fhirPathCriteria: "subject.resolve().gender = 'female'",
    })
    const subject = (id: string) => ({ subject: { reference: `Patient/${id}` } })
    for (const [id, expected] of [
      ['p', true],
      ['missing', false],
    ] as const) {
      const answer = await ask(
        '$explain',
        resource('topic', topic),
        resource('current', encounter('planned', subject(id))),
      )
      assert.equal(told(answer)['fires'], expected, answer.text)
    }
  })

  const patient = { resourceType: 'Patient', id: 'p' }
  const topic = topicResource('t', { resource: 'Patient' })
  const refusals: readonly [
    name: string,
    given: Parameters<typeof parameters>,
    expression: string,
    code: string,
  ][] = [
    ['no topic', [resource('current', patient)], "where(name = 'topic')", 'required'],
    [
      'another resource as topic',
      [resource('topic', patient), resource('current', patient)],
      'AidboxSubscriptionTopic',
      'structure',
    ],
    [
      'a topic that a write would refuse',
      [
        resource('topic', topicResource('t', { resource: 'Patient', fhirPathCriteria: 'nam = 1' })),
        resource('current', patient),
      ],
      'AidboxSubscriptionTopic.trigger[0].fhirPathCriteria',
      'invalid',
    ],
    ['no change', [resource('topic', topic)], "where(name = 'current')", 'required'],
    [
      'an unknown parameter',
      [resource('topic', topic), { name: 'colour', valueString: 'red' }],
      'Parameters.parameter',
      'not-supported',
    ],
    [
      'a parameter twice',
      [resource('topic', topic), resource('current', patient), resource('current', patient)],
      "where(name = 'current')",
      'invalid',
    ],
    [
      'no resource',
      [resource('topic', topic), { name: 'current', valueString: 'Patient/p' }],
      "where(name = 'current')",
      'structure',
    ],
    [
      'an absolute reference',
      [resource('topic', topic), reference('current', 'http://example.org/fhir/Patient/p')],
      "where(name = 'current')",
      'value',
    ],
    [
      'a reference to a destination, which could hold secrets',
      [resource('topic', topic), reference('current', 'AidboxTopicDestination/d')],
      "where(name = 'current')",
      'value',
    ],
    [
      'a version that is not there',
      [resource('topic', topic), reference('current', 'Patient/p/_history/7')],
      "where(name = 'current')",
      'not-found',
    ],
    [
      'versions of two resources',
      [
        resource('topic', topic),
        resource('current', patient),
        resource('previous', { ...patient, id: 'q' }),
      ],
      "where(name = 'previous')",
      'invalid',
    ],
    [
      'an interaction that does not fit',
      [
        resource('topic', topic),
        resource('current', patient),
        { name: 'interaction', valueCode: 'update' },
      ],
      "where(name = 'previous')",
      'required',
    ],
    [
      'an unknown interaction',
      [
        resource('topic', topic),
        resource('current', patient),
        { name: 'interaction', valueCode: 'patch' },
      ],
      "where(name = 'interaction')",
      'value',
    ],
  ]
  it('refuses with 422 that names the element', async (t) => {
    const { ask } = await serveTopics(t)
    for (const [name, given, expression, code] of refusals) {
      const answer = await ask('$explain', ...given)
      assert.equal(answer.status, 422, `${name}: ${answer.text}`)
      const [issue] = issuesOf(answer)
      assert.equal(issue?.code, code, `${name}: ${answer.text}`)
      assert.ok(issue.expression?.[0]?.includes(expression), `${name}: ${answer.text}`)
    }
  })

  it('refuses other methods, other bodies, unknown topics, and a topic beside a stored one', async (t) => {
    const { ask, url, fhir } = await serveTopics(t)
    await fhir.put(topic)
    const base = `${url}/AidboxSubscriptionTopic`
    assert.equal((await call(`${base}/t/$explain`, 'GET')).status, 405)
    assert.equal((await call(`${base}/t/$explain`, 'PUT', {})).status, 405)
    assert.equal((await call(`${base}/$explain`, 'POST', topic)).status, 400)
    assert.equal((await ask('missing/$explain', resource('current', patient))).status, 404)
    const both = await ask('t/$explain', resource('topic', topic), resource('current', patient))
    assert.deepEqual([both.status, issuesOf(both)[0]?.code], [422, 'invalid'])
  })

  it('works as an entry of a batch, and is listed once in the CapabilityStatement', async (t) => {
    const { url } = await serveTopics(t)
    const entry = [
      {
        request: { method: 'POST', url: 'AidboxSubscriptionTopic/$explain' },
        resource: parameters(resource('topic', topic), resource('current', patient)),
      },
    ]
    const answer = await call(url, 'POST', { resourceType: 'Bundle', type: 'batch', entry })
    const [first] = answer.body.entry ?? []
    assert.match(first?.response?.status ?? '', /^200/, answer.text)
    assert.equal(first?.resource?.resourceType, 'Parameters')
    const metadata = await call(`${url}/metadata`, 'GET')
    // A body is typed as what tests look at in any answer.
    const { rest } = metadata.body as unknown as {
      rest: { resource: { type: string; operation: { name: string; definition: string }[] }[] }[]
    }
    assert.deepEqual(
      rest[0]?.resource.find(({ type }) => type === 'AidboxSubscriptionTopic')?.operation,
      [
        {
          name: 'validate',
          definition: 'http://hl7.org/fhir/OperationDefinition/Resource-validate',
        },
        ...['explain', 'dry-run'].map((name) => ({
          name,
          definition: `http://health-samurai.io/fhir/core/OperationDefinition/AidboxSubscriptionTopic-${name}`,
        })),
      ],
    )
  })

  it('leaves nothing of resources in the log, whatever fails', async (t) => {
    const lines: LogLine[] = []
    const logger = recordingLogger(lines)
    const { ask, fhir } = await serveTopics(t, { logger }, { logger })
    const marked = { resourceType: 'Patient', id: 'p', name: [{ family: 'Sekretov' }, {}] }
    await fhir.put({ ...marked, name: [{ family: 'Sekretov' }, { family: 'Sekretova' }] })
    const failing = topicResource('failing', {
      resource: 'Patient',
      fhirPathCriteria: "name.family > 'Sekretov'",
    })
    await ask('$explain', resource('topic', failing), resource('current', marked))
    await ask('$explain', resource('topic', failing), reference('current', 'Patient/p'))
    await ask('$explain', resource('topic', marked), resource('current', marked))
    const replayed = await ask('$dry-run', resource('topic', failing))
    assert.equal(told(replayed)['undecided'], 1)
    assert.doesNotMatch(replayed.text, /Sekretov/)
    assert.doesNotMatch(JSON.stringify(lines), /Sekretov/)
  })

  it('asks for authentication', async (t) => {
    const { url } = await serveTopics(t, {}, { authToken: 'secret' })
    for (const name of ['$explain', '$dry-run', 't/$explain', 't/$dry-run']) {
      const answer = await call(`${url}/AidboxSubscriptionTopic/${name}`, 'POST', parameters())
      assert.equal(answer.status, 401, name)
    }
  })
})
