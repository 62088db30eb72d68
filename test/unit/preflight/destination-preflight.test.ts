import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import type { OperationOutcomeIssue } from '@medplum/fhirtypes'
import type { PreflightFinding } from '../../../src/kafka/preflight/findings.ts'
import { preflight as run, type PreflightSubject } from '../../../src/kafka/preflight/preflight.ts'
import {
  DestinationPreflight,
  type DestinationPreflightParts,
} from '../../../src/preflight/destination-preflight.ts'
import { loadSecretSource } from '../../../src/resources/secrets.ts'
import { destinationResource } from '../../helpers/topic-resources.ts'

const destination = destinationResource('d', 'kafka-at-least-once', 't', 'topic', 'b:9092')
const refusal: OperationOutcomeIssue = { severity: 'error', code: 'value' }
const warning: OperationOutcomeIssue = { severity: 'warning', code: 'value' }
const finding: PreflightFinding = {
  severity: 'error',
  message: 'No.',
  causeName: 'login-refused',
}

interface Options {
  readonly told?: OperationOutcomeIssue[]
  readonly found?: () => Promise<readonly PreflightFinding[]>
  readonly options?: Partial<DestinationPreflightParts>
}

function preflightOf({ told = [], found = () => Promise.resolve([]), options = {} }: Options = {}) {
  const subjects: PreflightSubject[] = []
  const preflight = new DestinationPreflight({
    secrets: loadSecretSource(),
    validate: () => told,
    transactionalIdOf: (id) => `prefix-${id}`,
    transactional: true,
    checkpoint: true,
    ...options,
    preflightTimeoutMs: 1000,
    stopped: new AbortController().signal,
    run: (subject) => {
      subjects.push(subject)
      return found()
    },
  })
  return { preflight, subjects }
}

describe('DestinationPreflight', () => {
  it('does not connect to what a write would be refused for', async () => {
    const { preflight, subjects } = preflightOf({ told: [refusal] })
    assert.deepEqual(await preflight.issuesOf(destination), [refusal])
    assert.equal(subjects.length, 0)
  })

  it('says what a write would be warned of and what was found, with the path of the parameter', async () => {
    const { preflight } = preflightOf({ told: [warning], found: () => Promise.resolve([finding]) })
    assert.deepEqual(await preflight.issuesOf(destination), [
      warning,
      {
        severity: 'error',
        code: 'login',
        details: { text: 'No.' },
        expression: ["AidboxTopicDestination.parameter.where(name='saslJaasConfig').value"],
      },
    ])
  })

  it('connects to no other server than a write may name', async () => {
    const isServerAllowed = () => false
    const { preflight, subjects } = preflightOf({ options: { isServerAllowed } })
    await preflight.issuesOf(destination)
    const bestEffort = destinationResource('d', 'kafka-best-effort', 't', 'topic', 'b:9092')
    await preflight.issuesOf(bestEffort)
    assert.deepEqual(
      subjects.map((subject) => subject.isServerAllowed),
      [isServerAllowed, isServerAllowed],
    )
    const values = { kafkaTopic: 't', bootstrapServers: 'b:9092' }
    await assert.rejects(run({ values, isServerAllowed }, { timeoutMs: 1000 }), {
      code: 'KTD_INVALID_PARAMETER',
      message: /names b:9092, which is not among the Kafka servers/,
    })
  })

  it('looks at transactions and the checkpoint as far as there are any', async () => {
    const transactionsOf = async (
      options: Options['options'],
      resource = destination,
    ): Promise<PreflightSubject['transactions']> => {
      const { preflight, subjects } = preflightOf(options ? { options } : {})
      await preflight.issuesOf(resource)
      return subjects[0]?.transactions
    }
    const checkpoint = { topic: undefined }
    assert.deepEqual(await transactionsOf({}), { name: 'prefix-d', checkpoint })
    assert.deepEqual((await transactionsOf({ checkpointTopic: 'c' }))?.checkpoint, { topic: 'c' })
    assert.equal((await transactionsOf({ checkpoint: false }))?.checkpoint, undefined)
    assert.equal(await transactionsOf({ transactional: false }), undefined)
    const bestEffort = destinationResource('d', 'kafka-best-effort', 't', 'topic', 'b:9092')
    assert.equal(await transactionsOf({}, bestEffort), undefined)
  })

  it('has a few under way at most, and goes on when they have ended', async () => {
    const ends: (() => void)[] = []
    const { preflight } = preflightOf({
      found: () =>
        new Promise((resolve) => {
          ends.push(() => {
            resolve([])
          })
        }),
    })
    const under = Array.from({ length: 4 }, () => preflight.issuesOf(destination))
    const [issue] = await preflight.issuesOf(destination)
    assert.equal(issue?.code, 'throttled')
    for (const end of ends) end()
    assert.deepEqual((await Promise.all(under)).flat(), [])
    const again = preflight.issuesOf(destination)
    await new Promise((resolve) => setImmediate(resolve))
    ends.at(-1)?.()
    assert.deepEqual(await again, [])
  })
})
