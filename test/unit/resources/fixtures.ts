import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import type { OperationOutcomeIssue } from '@medplum/fhirtypes'
import { applyPatch, type Operation } from 'rfc6902'
import type { FhirResource, ResourceTypeDefinition } from '../../../src/host/types.ts'

export interface AcceptedCase {
  readonly name: string
  readonly resource: FhirResource
}

export interface RefusedCase {
  readonly name: string
  readonly patch: readonly Operation[]
  readonly issues: readonly Pick<OperationOutcomeIssue, 'code' | 'expression'>[]
  /** Part of the first issue's text. */
  readonly says?: string
  /** Whether the definition or profile alone refuses it too, in a validator that knows nothing of this module. */
  readonly profileRefuses?: boolean
}

export function fixture<Case>(name: string): readonly Case[] {
  const path = join(import.meta.dirname, '../../../fixtures/resources', name)
  return JSON.parse(readFileSync(path, 'utf8')) as readonly Case[]
}

export function patched(resource: FhirResource, patch: readonly Operation[]): FhirResource {
  const copy = structuredClone(resource)
  const failures = applyPatch(copy, [...patch]).filter((error) => error !== null)
  if (failures.length > 0) throw new Error('the fixture does not patch', { cause: failures })
  return copy
}

/** Issues of a write; all of ours answer at once. */
export function issuesOf(
  type: ResourceTypeDefinition,
  resource: FhirResource,
  previous?: FhirResource,
): OperationOutcomeIssue[] {
  const issues = type.validate(resource, previous)
  if (!Array.isArray(issues)) throw new Error('validate should answer at once')
  return issues
}

export function codesAndExpressions(
  issues: readonly OperationOutcomeIssue[],
): RefusedCase['issues'] {
  return issues.map(({ code, expression }) => ({ code, ...(expression ? { expression } : {}) }))
}
