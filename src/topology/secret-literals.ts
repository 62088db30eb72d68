import type { DocumentPath, Finding } from './finding.ts'

/** Names of things that are secret, wherever they stand. */
const secretKey =
  /pass(?:word|phrase|wd)|secret(?!Ref$)|token|api[-_]?key|jaas|private[-_]?key|credential/i
/** Texts that hold a secret: a JAAS line, a key, a password in a URL. */
const secretText =
  /password\s*=|LoginModule|-----BEGIN [A-Z ]*PRIVATE KEY-----|\/\/[^/\s:@]*:[^/\s@]+@/i
const referenceShape = /^(?:env:[A-Za-z_]\w*|[A-Za-z0-9][A-Za-z0-9._-]*|\$\{\w+\})$/
const onlyVariables = /^\$\{\w+\}$/

/** Check L8: every place of a document where a secret stands or seems to. The findings never repeat it. */
export function secretFindings(document: unknown): Finding[] {
  const findings: Finding[] = []
  visit(document, [])
  return findings

  function visit(value: unknown, path: DocumentPath): void {
    const fault = faultOf(value, String(path.at(-1) ?? ''))
    if (fault !== undefined) {
      const message = `${fault} Keep the secret in the environment or in a vault file, and refer to it with secretRef.`
      findings.push({ check: 'L8', severity: 'error', message, path })
    } else if (Array.isArray(value)) {
      for (const [index, item] of value.entries()) visit(item, [...path, index])
    } else if (typeof value === 'object' && value !== null) {
      for (const [key, item] of Object.entries(value)) visit(item, [...path, key])
    }
  }
}

function faultOf(value: unknown, key: string): string | undefined {
  if (typeof value !== 'string' && typeof value !== 'number') return undefined
  const text = String(value)
  if (key === 'secretRef' && !referenceShape.test(text)) {
    return 'secretRef is the name of a secret, or env:<variable>; this looks like the secret itself.'
  }
  if (secretKey.test(key) && !onlyVariables.test(text)) {
    return `"${key}" looks like a secret in plain text.`
  }
  return secretText.test(text) ? `"${key}" holds what looks like a secret.` : undefined
}
