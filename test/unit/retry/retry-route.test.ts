import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import type { SourceRecord } from '../../../src/retry/record.ts'
import { stateOfNew } from '../../../src/retry/retry-headers.ts'
import { retryRoute } from '../../../src/retry/retry-route.ts'
import { readTopology, topologyOf } from '../../helpers/topology.ts'
import { resolveTopology } from '../../../src/topology/resolve-topology.ts'

function topology(to: string, retry = 'p', then = 'deadLetter') {
  return topologyOf(`services: { s: { groupPrefix: g- } }
retryPolicies: { p: { attempts: 1, delays: [1s], then: ${then} } }
topics: { t: { by: [s/P], to: [${to}], retry: ${retry} }, u: { by: [s/P], to: [s/A] } }`)
}

const record: SourceRecord = {
  ...{ topic: 't', partition: 0, offset: 0, timestampMs: 0, key: null, value: null, headers: [] },
}

describe('retryRoute', () => {
  it('names group and topics as the file does', () => {
    const { isMine: _, policy: __, ...route } = retryRoute(topology('s/A'), 't')
    assert.deepEqual(route, {
      ...{ group: 'g-a', topic: 't', retryTopic: 't.retry', deadLetterTopic: 't.dlq' },
      subscribed: ['t', 't.retry'],
    })
    assert.equal(retryRoute(topology('s/A', 'p', 'drop'), 't').deadLetterTopic, undefined)
  })

  it('knows every topic of the Altinn example that has a policy', () => {
    const altinn = resolveTopology(readTopology('examples/altinn/altinn-repaired.yaml'), 'prod', {})
    const withPolicy = altinn.topics.filter(({ retryPolicy }) => retryPolicy !== undefined)
    assert.equal(withPolicy.length, 6)
    const groups = new Set(altinn.groups.map(({ name }) => name))
    for (const { name, consumers } of withPolicy) {
      assert.ok(groups.has(retryRoute(altinn, name, consumers[0]).group))
    }
  })

  const whose = [
    {
      name: 'who has failed',
      to: 's/A, s/B',
      retry: 'p',
      me: 's/A',
      from: 't.retry',
      of: 'g-a',
      is: true,
    },
    {
      name: 'not who has not',
      to: 's/A, s/B',
      retry: 'p',
      me: 's/B',
      from: 't.retry',
      of: 'g-a',
      is: false,
    },
    {
      name: 'all what nobody has failed with',
      to: 's/A, s/B',
      retry: 'p',
      me: 's/B',
      from: 't.retry',
      of: undefined,
      is: true,
    },
    {
      name: 'who is there for the failures of others',
      to: 's/A',
      retry: '{ policy: p, to: [s/R] }',
      me: 's/R',
      from: 't.retry',
      of: 'g-a',
      is: true,
    },
    {
      name: 'not who takes care of its own alone',
      to: 's/A, s/B',
      retry: '{ policy: p, to: [s/B, s/R] }',
      me: 's/B',
      from: 't.retry',
      of: 'g-a',
      is: false,
    },
    {
      name: 'anybody, where nobody is there for others',
      to: 's/A, s/B',
      retry: '{ policy: p, to: [s/B] }',
      me: 's/B',
      from: 't.retry',
      of: 'g-a',
      is: true,
    },
    {
      name: 'one alone of those who are there for others',
      to: 's/A',
      retry: '{ policy: p, to: [s/R, s/S] }',
      me: 's/S',
      from: 't.retry',
      of: 'g-a',
      is: false,
    },
    {
      name: 'the group that it is sent again for',
      to: 's/A, s/B',
      retry: 'p',
      me: 's/A',
      from: 't',
      of: 'g-a',
      is: true,
    },
    {
      name: 'no other group of the topic then',
      to: 's/A, s/B',
      retry: 'p',
      me: 's/B',
      from: 't',
      of: 'g-a',
      is: false,
    },
    {
      name: 'all groups when that one is gone',
      to: 's/A, s/B',
      retry: 'p',
      me: 's/B',
      from: 't',
      of: 'g-gone',
      is: true,
    },
  ]
  for (const { name, to, retry, me, from, of, is } of whose) {
    it(`gives a record to ${name}`, () => {
      const route = retryRoute(topology(to, retry), 't', me)
      assert.equal(route.isMine(from, { ...stateOfNew(record), group: of }), is)
    })
  }

  const refusals = [
    { topic: 'x', to: 's/A', consumer: undefined, message: /"x" is not in the file/ },
    { topic: 'u', to: 's/A', consumer: undefined, message: /"u" has no retry policy/ },
    { topic: 't', to: 's/A, s/B', consumer: undefined, message: /several consumers.*s\/A, s\/B/ },
    { topic: 't', to: 's/A', consumer: 's/C', message: /"s\/C" consumes neither "t"/ },
    { topic: 't', to: '', consumer: undefined, message: /Nobody consumes "t"/ },
  ]
  for (const { topic, to, consumer, message } of refusals) {
    it(`refuses: ${message.source}`, () => {
      assert.throws(() => retryRoute(topology(to), topic, consumer), message)
    })
  }
})
