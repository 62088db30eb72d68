import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { setImmediate } from 'node:timers/promises'
import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'
import { forbidden, OperationOutcomeError } from '@medplum/core'
import type { Parameters, ParametersParameter } from '@medplum/fhirtypes'
import type { FhirHost, FhirResource, Operation, PastChange } from '../../../src/host/types.ts'
import { dryRunOperations } from '../../../src/topic-operations/dry-run-operation.ts'
import { explainOperations } from '../../../src/topic-operations/explain-operation.ts'
import { topicResource } from '../../helpers/topic-resources.ts'

const stored: ReadonlyMap<string, FhirResource> = new Map(
  [
    topicResource('t', {
      resource: 'Observation',
      fhirPathCriteria: 'subject.resolve().active',
    }),
    { resourceType: 'Observation', id: 'o', subject: { reference: 'Patient/p' } },
    { resourceType: 'Patient', id: 'p', active: true },
  ].map((resource) => [`${resource.resourceType}/${resource.id}`, resource]),
)

interface Asked {
  readonly action: string
  readonly reference: string
}

/** @param refused `action reference` */
function hostThat(refused: string, asked: Asked[] = []) {
  const read: FhirHost['read'] = (references) =>
    Promise.resolve(new Map([...stored].filter(([key]) => references.includes(key))))
  return {
    read,
    authorize(principal: unknown, action: string, reference: string) {
      assert.deepEqual(principal, { id: 'nurse' })
      asked.push({ action, reference })
      if (`${action} ${reference}` === refused) throw new OperationOutcomeError(forbidden)
    },
    history: {
      read: (references: readonly string[]) =>
        Promise.resolve(
          new Map(
            references.flatMap((reference) => {
              const resource = stored.get(reference.replace(/\/_history\/1$/, ''))
              return resource ? [[reference, resource] as const] : []
            }),
          ),
        ),
      changes: async function* (): AsyncGenerator<PastChange> {
        await Promise.resolve()
        const current = stored.get('Observation/o') as FhirResource
        yield {
          interaction: 'create',
          resourceType: 'Observation',
          id: 'o',
          versionId: '1',
          at: new Date(0),
          current,
        }
      },
    },
  }
}

const limits = { dryRunMaxChanges: 10, dryRunTimeoutMs: 10_000, dryRunMaxSamples: 10 }

function operationOf(
  code: 'explain' | 'dry-run',
  level: Operation['level'],
  host: Pick<FhirHost, 'authorize' | 'read' | 'history'>,
  stopped = new AbortController().signal,
): Operation {
  const operations =
    code === 'explain' ? explainOperations(host) : dryRunOperations({ host, limits, stopped })
  const found = operations.find((operation) => operation.level === level)
  assert.ok(found)
  return found
}

async function ask(
  operation: Operation,
  id: string | undefined,
  ...parameter: ParametersParameter[]
): Promise<Parameters> {
  const { resource } = await operation.handle({
    method: 'POST',
    ...(id === undefined ? {} : { id }),
    input: { resourceType: 'Parameters', parameter },
    principal: { id: 'nurse' },
  })
  assert.equal(resource?.resourceType, 'Parameters')
  return resource
}

const current = (reference: string): ParametersParameter => ({
  name: 'current',
  valueReference: { reference },
})

const isForbidden = { outcome: forbidden }

describe('$explain asks the host whether the caller may', () => {
  it('call it, read the topic, read the resources, and read what the criteria resolves', async () => {
    const asked: Asked[] = []
    const operation = operationOf('explain', 'instance', hostThat('', asked))
    const { parameter } = await ask(operation, 't', current('Observation/o/_history/1'))
    assert.equal(parameter?.find(({ name }) => name === 'fires')?.valueBoolean, true)
    assert.deepEqual(
      [...new Set(asked.map(({ action, reference }) => `${action} ${reference}`))],
      [
        'explain AidboxSubscriptionTopic/t',
        'read AidboxSubscriptionTopic/t',
        'vread Observation/o',
        'read Patient/p',
      ],
    )
  })

  for (const refused of [
    'explain AidboxSubscriptionTopic/t',
    'read AidboxSubscriptionTopic/t',
    'vread Observation/o',
    'read Patient/p',
  ]) {
    it(`and answers nothing without the right to ${refused}`, async () => {
      const operation = operationOf('explain', 'instance', hostThat(refused))
      await assert.rejects(ask(operation, 't', current('Observation/o/_history/1')), isForbidden)
    })
  }

  it('on type level about the type', async () => {
    const operation = operationOf('explain', 'type', hostThat('explain AidboxSubscriptionTopic'))
    await assert.rejects(ask(operation, undefined), isForbidden)
  })
})

describe('$explain refuses topics and destinations, which make no events', () => {
  const resource = { resourceType: 'AidboxTopicDestination', id: 'd' }
  // fhirtypes knows neither of the two types.
  const inline = { name: 'current', resource } as unknown as ParametersParameter
  for (const [form, parameter] of [
    ['as a resource', inline],
    ['as a reference', current('AidboxTopicDestination/d')],
  ] as const) {
    it(form, async () => {
      const asked: Asked[] = []
      const operation = operationOf('explain', 'instance', hostThat('', asked))
      await assert.rejects(ask(operation, 't', parameter), (error) => {
        assert.ok(error instanceof OperationOutcomeError)
        const [issue] = error.outcome.issue
        assert.match(issue?.details?.text ?? '', /make no events/)
        assert.deepEqual(issue?.expression, ["Parameters.parameter.where(name = 'current')"])
        return true
      })
      assert.ok(!asked.some(({ reference }) => reference.startsWith('AidboxTopicDestination')))
    })
  }
})

describe('$explain without history', () => {
  it('takes a version that is the current one, and no other', async () => {
    const versioned = { resourceType: 'Patient', id: 'v', meta: { versionId: '2' }, active: true }
    const host = { read: () => Promise.resolve(new Map([['Patient/v', versioned]])) }
    const topic = topicResource('patients', { resource: 'Patient' })
    // fhirtypes does not know its type.
    const given = { name: 'topic', resource: topic } as unknown as ParametersParameter
    const operation = operationOf('explain', 'type', host)
    const { parameter } = await ask(operation, undefined, given, current('Patient/v/_history/2'))
    assert.equal(parameter?.find(({ name }) => name === 'fires')?.valueBoolean, true)
    await assert.rejects(
      ask(operation, undefined, given, current('Patient/v/_history/1')),
      (error) => {
        assert.ok(error instanceof OperationOutcomeError)
        assert.equal(error.outcome.issue[0]?.code, 'not-supported')
        return true
      },
    )
  })
})

describe('$dry-run asks the host whether the caller may', () => {
  for (const refused of ['dry-run AidboxSubscriptionTopic/t', 'read AidboxSubscriptionTopic/t']) {
    it(refused, async () => {
      const operation = operationOf('dry-run', 'instance', hostThat(refused))
      await assert.rejects(ask(operation, 't'), isForbidden)
    })
  }

  it('dry-run AidboxSubscriptionTopic', async () => {
    const operation = operationOf('dry-run', 'type', hostThat('dry-run AidboxSubscriptionTopic'))
    await assert.rejects(ask(operation, undefined), isForbidden)
  })

  it('and reads for its criteria without asking again: the right to it is the right to everything', async () => {
    const operation = operationOf('dry-run', 'instance', hostThat('read Patient/p'))
    const { parameter } = await ask(operation, 't')
    assert.equal(parameter?.find(({ name }) => name === 'fires')?.valueInteger, 1)
  })
})

describe('$dry-run', () => {
  it('answers not-supported, status 501, where the host has no history', async () => {
    const operation = operationOf('dry-run', 'type', { read: () => Promise.resolve(new Map()) })
    await assert.rejects(ask(operation, undefined), (error) => {
      assert.ok(error instanceof OperationOutcomeError)
      assert.equal(error.outcome.id, 'not-implemented')
      assert.equal(error.outcome.issue[0]?.code, 'not-supported')
      return true
    })
  })

  it('keeps its time, also when garbage is collected meanwhile', async () => {
    setFlagsFromString('--expose-gc')
    const collect = runInNewContext('gc') as () => void
    const host = hostThat('')
    const history = {
      ...host.history,
      async *changes() {
        for (;;) {
          await setImmediate()
          collect()
          yield* host.history.changes()
        }
      },
    }
    const topic = topicResource('all', { resource: 'Observation' })
    // fhirtypes does not know its type.
    const given = { name: 'topic', resource: topic } as unknown as ParametersParameter
    const operation = dryRunOperations({
      host: { ...host, history },
      // So many collections take seconds.
      limits: { ...limits, dryRunMaxChanges: 500, dryRunTimeoutMs: 200 },
      stopped: new AbortController().signal,
    }).find(({ level }) => level === 'type')
    assert.ok(operation)
    const { parameter } = await ask(operation, undefined, given)
    assert.equal(parameter?.find(({ name }) => name === 'cut')?.valueCode, 'time')
  })

  it('answers 503 when the module stops, before and under way', async () => {
    const controller = new AbortController()
    const host = hostThat('')
    const history = {
      ...host.history,
      changes: async function* () {
        controller.abort()
        yield* host.history.changes()
      },
    }
    const stopping = { ...host, history }
    const operation = operationOf('dry-run', 'instance', stopping, controller.signal)
    const isStopping = (error: unknown): boolean => {
      assert.ok(error instanceof OperationOutcomeError)
      assert.equal(error.outcome.id, 'unavailable')
      assert.equal(error.outcome.issue[0]?.details?.text, 'The server is stopping.')
      return true
    }
    await assert.rejects(ask(operation, 't'), isStopping)
    await assert.rejects(ask(operation, 't'), isStopping)
  })
})
