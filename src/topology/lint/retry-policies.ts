import type { RetryPolicyEntry } from '../document.ts'
import { durationMs, retentionMs } from '../duration.ts'
import type { DocumentPath, Finding } from '../finding.ts'
import type { ResolvedTopology } from '../resolved-topology.ts'

/** Check L3. */
export function retryPolicyFindings({ retryPolicies }: ResolvedTopology): Finding[] {
  return Object.entries(retryPolicies).flatMap(([name, policy]) => {
    const path: DocumentPath = ['retryPolicies', name]
    return [
      ...unreadableDurations(policy, path),
      ...faultsOf(policy).map(([severity, fault]): Finding => ({
        check: 'L3',
        severity,
        message: `The retry policy "${name}" ${fault}`,
        path,
      })),
    ]
  })
}

type Fault = readonly [severity: Finding['severity'], text: string]

function faultsOf({ attempts, maxAge, delays = [], then }: RetryPolicyEntry): Fault[] {
  const faults: Fault[] = []
  if (!delays.some((delay) => durationMs(delay) !== 0)) {
    faults.push([
      'error',
      'does not wait: a message that fails goes round as fast as it can. Give it delays, as in [5s, 1m].',
    ])
  }
  if (attempts === undefined && maxAge === undefined) {
    faults.push(['error', 'never ends; give it attempts or maxAge.'])
  }
  if (then === undefined) {
    faults.push([
      'error',
      'does not say what becomes of a message that is given up; write then: deadLetter, external or drop.',
    ])
  }
  if (then === 'drop') {
    faults.push(['warning', 'loses every message that is given up; then: deadLetter keeps it.'])
  }
  if (attempts !== undefined && delays.length > attempts) {
    faults.push([
      'warning',
      `has ${delays.length} delays for ${attempts} attempts; the last ones are never used.`,
    ])
  }
  return faults
}

function unreadableDurations(
  { maxAge, delays = [], deadLetterRetention }: RetryPolicyEntry,
  path: DocumentPath,
): Finding[] {
  const durations: (readonly [string | undefined, DocumentPath])[] = [
    [maxAge, [...path, 'maxAge']],
    ...delays.map((delay, index) => [delay, [...path, 'delays', index]] as const),
  ]
  const unreadable = durations.filter(
    ([text]) => text !== undefined && durationMs(text) === undefined,
  )
  if (deadLetterRetention !== undefined && retentionMs(deadLetterRetention) === undefined) {
    unreadable.push([deadLetterRetention, [...path, 'deadLetterRetention']])
  }
  return unreadable.map(([text, at]) => ({
    check: 'schema',
    severity: 'error',
    message: `"${text}" is no duration; write a number and its unit: ms, s, m, h, d or w.`,
    path: at,
  }))
}
