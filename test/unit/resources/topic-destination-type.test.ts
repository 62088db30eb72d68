import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { OperationOutcomeError, validateTypedValue } from '@medplum/core'
import type { FhirResource } from '../../../src/host/types.ts'
import { destinationProfiles } from '../../../src/resources/profile-definitions.ts'
import { loadSecretSource, type SecretSource } from '../../../src/resources/secrets.ts'
import { topicDestinationType } from '../../../src/resources/topic-destination-type.ts'
import {
  codesAndExpressions,
  fixture,
  issuesOf,
  patched,
  type AcceptedCase,
  type RefusedCase,
} from './fixtures.ts'

const accepted = fixture<AcceptedCase>('accepted-destinations.json')
const refused = fixture<RefusedCase>('refused-destinations.json')
const secrets = loadSecretSource()
const type = topicDestinationType({
  secrets,
  isTokenEndpointAllowed: (url) => url === 'https://login.example.net/token',
})

const maskedReason = {
  url: 'http://hl7.org/fhir/StructureDefinition/data-absent-reason',
  valueCode: 'masked',
}
const plainLogin =
  'org.apache.kafka.common.security.plain.PlainLoginModule required username="u" password="canary-7";'

function firstOf(cases: readonly AcceptedCase[], name: string): FhirResource {
  const found = cases.find((each) => each.name === name)
  assert.ok(found)
  return found.resource
}

const plain = firstOf(accepted, 'at least once, keyed, as documented since 2604')
const withSecret = firstOf(accepted, 'every element')

function withParameter(resource: FhirResource, ...entries: readonly object[]): FhirResource {
  const parameters = resource['parameter'] as readonly { name: string }[]
  const names = new Set(entries.map((entry) => ('name' in entry ? entry.name : undefined)))
  const others = parameters.filter(({ name }) => !names.has(name))
  return { ...resource, parameter: [...others, ...entries] }
}

function profileRefuses(resource: FhirResource, url: string): boolean {
  const profile = destinationProfiles.find((each) => each.url === url)
  assert.ok(profile)
  // The validator looks up the parts of the type by name; this files them.
  issuesOf(type, resource)
  try {
    validateTypedValue({ type: resource.resourceType, value: resource }, { profile })
    return false
  } catch (error) {
    assert.ok(error instanceof OperationOutcomeError)
    return true
  }
}

describe('AidboxTopicDestination: accepted', () => {
  for (const { name, resource } of accepted) {
    it(name, () => {
      assert.deepEqual(issuesOf(type, resource), [])
      const ours = destinationProfiles.filter(({ url }) => resource.meta?.profile?.includes(url))
      assert.equal(ours.length, 1)
      for (const { url } of ours) assert.equal(profileRefuses(resource, url), false)
    })

    it(`${name}: is stored as it came`, () => {
      assert.equal(JSON.stringify(type.toStored?.(resource)), JSON.stringify(resource))
    })
  }
})

describe('AidboxTopicDestination: meta.profile', () => {
  const [profile = ''] = plain.meta?.profile ?? []
  const other = 'http://aidbox.app/StructureDefinition/aidboxtopicdestination-kafka-best-effort'

  it('may name a version of the profile', () => {
    assert.deepEqual(issuesOf(type, { ...plain, meta: { profile: [`${profile}|1.0.0`] } }), [])
  })

  it('may name both generations of one kind, not two kinds', () => {
    const older = other.replace('best-effort', 'at-least-once')
    assert.deepEqual(issuesOf(type, { ...plain, meta: { profile: [older, profile] } }), [])
    const issues = issuesOf(type, { ...plain, meta: { profile: [profile, other] } })
    assert.deepEqual(
      issues.map(({ code }) => code),
      ['invalid'],
    )
  })
})

describe('AidboxTopicDestination: refused', () => {
  for (const { name, patch, issues, says, profileRefuses: expected = false } of refused) {
    it(name, () => {
      const resource = patched(plain, patch)
      const found = issuesOf(type, resource)
      assert.deepEqual(codesAndExpressions(found), issues)
      for (const { severity, details } of found) {
        assert.equal(severity, 'error')
        assert.match(details?.text ?? '', /^\S.*\.$/s, 'a sentence')
      }
      assert.doesNotMatch(JSON.stringify(found), /canary/)
      if (says !== undefined) assert.ok(found[0]?.details?.text?.includes(says))
      const [profile = ''] = plain.meta?.profile ?? []
      assert.equal(profileRefuses(resource, profile), expected)
    })
  }

  it('at least once on a host without SQL transactions', () => {
    const memoryOnly = topicDestinationType({ secrets, sqlTransactions: false })
    assert.deepEqual(codesAndExpressions(issuesOf(memoryOnly, plain)), [
      { code: 'not-supported', expression: ['AidboxTopicDestination.kind'] },
    ])
    const bestEffort = firstOf(accepted, 'best effort, as documented since 2604, with a status')
    assert.deepEqual(issuesOf(memoryOnly, bestEffort), [])
  })

  it('answers a body of many small faults briefly', () => {
    const parameter = Array.from({ length: 5000 }, () => ({ name: 'x' }))
    assert.equal(issuesOf(type, { ...plain, parameter }).length, 50)
  })
})

describe('AidboxTopicDestination: strictAidbox', () => {
  it('takes PUT and PATCH away and leaves the rest', () => {
    const strict = topicDestinationType({ secrets: loadSecretSource(), strictAidbox: true })
    assert.deepEqual(
      type.interactions.filter((each) => !strict.interactions.includes(each)),
      ['update', 'patch'],
    )
  })
})

describe('AidboxTopicDestination: secrets in the resource', () => {
  const masked = type.toAnswer?.(withSecret) ?? withSecret

  it('are read back masked, at their place, and nothing else changes', () => {
    assert.doesNotMatch(JSON.stringify(masked), /canary/)
    assert.equal(
      JSON.stringify(masked),
      JSON.stringify(withSecret).replace(
        `"valueString":${JSON.stringify(plainLogin)}`,
        `"_valueString":${JSON.stringify({ extension: [maskedReason] })}`,
      ),
    )
  })

  for (const changed of [
    { name: 'bootstrapServers', valueString: 'broker.example.net:9092' },
    { name: 'securityProtocol', valueString: 'SASL_SSL' },
    { name: 'saslOauthbearerTokenEndpointUrl', valueString: 'https://login.example.net/token' },
  ]) {
    it(`are asked for again when ${changed.name} changes: they would be shown to somebody else`, () => {
      const [issue, ...more] = issuesOf(type, withParameter(masked, changed), withSecret)
      assert.deepEqual([issue?.code, more], ['required', []])
      assert.match(issue?.details?.text ?? '', /saslJaasConfig.*brokers have changed/)
      assert.deepEqual(issuesOf(type, withParameter(withSecret, changed), withSecret), [])
    })
  }

  it('are kept when the masked form is written back', () => {
    assert.deepEqual(issuesOf(type, masked, withSecret), [])
    assert.equal(JSON.stringify(type.toStored?.(masked, withSecret)), JSON.stringify(withSecret))
  })

  it('are replaced when another value is written', () => {
    const login = plainLogin.replace('canary-7', 'canary-8')
    const changed = withParameter(withSecret, { name: 'saslJaasConfig', valueString: login })
    assert.deepEqual(issuesOf(type, changed, withSecret), [])
    assert.equal(type.toStored?.(changed, withSecret), changed)
  })

  it('are checked with the stored value in place of the mask', () => {
    const scram = withParameter(masked, { name: 'saslMechanism', valueString: 'SCRAM-SHA-512' })
    const [issue] = issuesOf(type, scram, withSecret)
    assert.deepEqual(issue?.expression, [
      "AidboxTopicDestination.parameter.where(name='saslJaasConfig').value",
    ])
    assert.doesNotMatch(JSON.stringify(issue), /canary/)
  })

  it('keep an extension that stood beside the value', () => {
    const note = { url: 'http://example.org/note', valueString: 'rotate in May' }
    const noted = withParameter(withSecret, {
      name: 'saslJaasConfig',
      valueString: plainLogin,
      _valueString: { extension: [note] },
    })
    const answer = type.toAnswer?.(noted) ?? noted
    assert.doesNotMatch(JSON.stringify(answer), /canary/)
    assert.ok(JSON.stringify(answer).includes(JSON.stringify({ extension: [note, maskedReason] })))
    assert.deepEqual(type.toStored?.(answer, noted), noted)
  })

  it('come back as stored with plainSecrets: echo', () => {
    const echo = topicDestinationType({ secrets, plainSecrets: 'echo' })
    assert.equal(echo.toAnswer?.(withSecret), withSecret)
  })
})

describe('AidboxTopicDestination: secret references', () => {
  const reference = {
    name: 'saslJaasConfig',
    _valueString: {
      extension: [
        maskedReason,
        { url: 'http://health-samurai.io/fhir/secret-reference', valueString: 'kafka-jaas' },
      ],
    },
  }
  const referring = withParameter(withSecret, reference)
  const vault = (text: string): Pick<SecretSource, 'resolve'> => ({
    resolve(name, resourceType, id) {
      assert.deepEqual([name, resourceType, id], ['kafka-jaas', 'AidboxTopicDestination', 'full'])
      return text
    },
  })

  it('are accepted, stored and read back as they are', () => {
    const withVault = topicDestinationType({ secrets: vault(plainLogin) })
    assert.deepEqual(issuesOf(withVault, referring), [])
    assert.equal(withVault.toStored?.(referring), referring)
    assert.equal(withVault.toAnswer?.(referring), referring)
  })

  it('are checked by the value they stand for', () => {
    const withVault = topicDestinationType({ secrets: vault('canary but no login entry') })
    const issues = issuesOf(withVault, referring)
    assert.deepEqual(
      issues.flatMap(({ expression = [] }) => expression),
      ["AidboxTopicDestination.parameter.where(name='saslJaasConfig').value"],
    )
    assert.doesNotMatch(JSON.stringify(issues), /canary/)
  })

  it('cannot be kept by a mask without a reference', () => {
    const masked = withParameter(referring, {
      name: 'saslJaasConfig',
      _valueString: { extension: [maskedReason] },
    })
    const issues = issuesOf(topicDestinationType({ secrets: vault(plainLogin) }), masked, referring)
    assert.deepEqual(codesAndExpressions(issues), [
      {
        code: 'required',
        expression: ["AidboxTopicDestination.parameter.where(name='saslJaasConfig').value"],
      },
    ])
  })
})
