import { randomUUID } from 'node:crypto'
import type { CaseRun } from '../case-run.ts'
import type { CaseSpec } from './case-spec.ts'
import { expect, expectEqual } from '../expect.ts'
import { probeOperationCode, probeTypeName, probeTypeOperationCode } from '../probe-type.ts'
import { newProbe } from './resource-type-cases.ts'

const requires = ['customResourceTypes', 'rest'] as const

export const operationCases: readonly CaseSpec[] = [
  {
    name: 'a registered operation is called with id, method and input, and its answer reaches the client',
    requires,
    async prove(run) {
      const { id, path } = await probeWithOperation(run)
      const input = { resourceType: 'Parameters', parameter: [{ name: 'a', valueString: 'b' }] }
      for (const [method, body] of [
        ['GET', undefined],
        ['POST', input],
      ] as const) {
        const answer = await run.request(method, path, body)
        expectEqual(
          [answer.status, answer.body['parameter']],
          [200, [{ name: 'id', valueString: id }]],
          `${method} ${path} must answer 200 with the resource that handle() gives.`,
        )
      }
      expectEqual(
        run.probe.operationRequests.map(({ method, input: given }) => ({ method, given })),
        [{ method: 'GET' }, { method: 'POST', given: input }],
        'handle() gets the method, and the Parameters of a POST as input.',
      )
      expect(
        run.probe.operationRequests.every((each) => each.id === id),
        'handle() of an operation on instance level gets the id.',
      )
    },
  },
  {
    name: 'an operation of the type itself is called without id, and its answer reaches the client',
    requires,
    async prove(run) {
      const input = { resourceType: 'Parameters', parameter: [{ name: 'a', valueString: 'b' }] }
      const path = `/${probeTypeName}/$${probeTypeOperationCode}`
      const answer = await run.request('POST', path, input)
      expectEqual(
        [answer.status, answer.body['parameter']],
        [200, [{ name: 'level', valueString: 'type' }]],
        `POST ${path} must answer 200 with the resource that handle() gives.`,
      )
      expectEqual(
        run.probe.operationRequests.map(({ id, method, input: given }) => ({ id, method, given })),
        [{ method: 'POST', given: input }],
        'handle() of an operation on type level gets no id.',
      )
    },
  },
  {
    name: 'an operation on an unknown instance answers 404 and is not called',
    requires,
    async prove(run) {
      const path = operationPath(randomUUID())
      const answer = await run.request('GET', path)
      expectEqual(answer.status, 404, 'See that the instance exists before you call handle().')
      expectEqual(run.probe.operationRequests, [], 'handle() was called for an unknown instance.')
    },
  },
  {
    name: 'the status of an OperationOutcomeError of an operation reaches the client',
    requires,
    async prove(run) {
      const { path } = await probeWithOperation(run)
      run.probe.isOperationForbidden = true
      const answer = await run.request('GET', path)
      expectEqual(
        answer.status,
        403,
        'An OperationOutcomeError that handle() throws decides the status.',
      )
      expectEqual(
        answer.body['resourceType'],
        'OperationOutcome',
        'Answer with the outcome of the error.',
      )
    },
  },
  {
    name: 'authorize refuses an operation with 401 or 403',
    requires: [...requires, 'refusedCaller'],
    async prove(run) {
      const { path } = await probeWithOperation(run)
      const { refusedHeaders } = run.rest
      expect(
        refusedHeaders !== undefined,
        'Supply RunningHost.rest.refusedHeaders, or say in HostUnderTest.lacks.refusedCaller why there is no such caller.',
      )
      const answer = await run.requestAs(refusedHeaders, 'GET', path)
      expect(
        answer.status === 401 || answer.status === 403,
        'FhirHost.authorize must throw an OperationOutcomeError of 401 or 403 for a caller who may not call the operation; pass the principal of the request to handle().',
        answer,
      )
      const allowed = await run.request('GET', path)
      expectEqual(allowed.status, 200, 'FhirHost.authorize must let the caller of rest.headers in.')
    },
  },
]

async function probeWithOperation(
  run: CaseRun,
): Promise<{ readonly id: string; readonly path: string }> {
  const probe = newProbe('with operation')
  await run.request('POST', `/${probeTypeName}`, probe)
  return { id: probe.id, path: operationPath(probe.id) }
}

function operationPath(id: string): string {
  return `/${probeTypeName}/${id}/$${probeOperationCode}`
}
