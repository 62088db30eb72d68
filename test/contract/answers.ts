import assert from 'node:assert/strict'
import type { FhirAnswer } from '../helpers/fhir-client.ts'

interface Issue {
  readonly severity: string
  readonly code: string
  readonly expression?: readonly string[]
  readonly diagnostics?: string
  readonly details?: { readonly text?: string }
}

/** The issue of a 422 whose first expression begins with this one. */
export function assertRefused(answer: FhirAnswer, expression: string): Issue {
  assert.equal(answer.status, 422, JSON.stringify(answer.body))
  assert.equal(answer.body['resourceType'], 'OperationOutcome')
  const issues = answer.body['issue'] as Issue[]
  const found = issues.find(({ expression: [path = ''] = [] }) => path.startsWith(expression))
  assert.ok(found, `no issue of ${expression} in ${JSON.stringify(issues)}`)
  assert.equal(found.severity, 'error')
  return found
}

/** The resource without what the server adds: what a client wrote must come back exactly. */
export function withoutVersion(resource: object): object {
  const { meta, ...rest } = resource as { meta?: Record<string, unknown> }
  const { versionId: _version, lastUpdated: _at, ...written } = meta ?? {}
  return Object.keys(written).length === 0 ? rest : { ...rest, meta: written }
}
