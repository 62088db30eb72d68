import { format, resolveConfig } from 'prettier'
import type { SuiteResult } from '../test/helpers/fhirpath-suite.ts'
import { markdownTable } from '../src/markdown-table.ts'

/** `docs/fhirpath-differences.md`, from a run of HL7's suite. */
export async function differencesPage(results: readonly SuiteResult[]): Promise<string> {
  const passed = results.filter(({ outcome }) => outcome === 'passed').length
  const refused = results.filter(({ outcome }) => outcome === 'refused')
  const differing = results.filter(({ outcome }) => outcome === 'differs')
  const page = `# Differences from FHIRPath

Made from a run of HL7's test suite for R4 ([fixtures/fhirpath](../fixtures/fhirpath/README.md)) through the check of criteria and the engine
that evaluates them: ${results.length} tests, ${passed} passed, ${refused.length} refused, ${differing.length} with another result.

## Refused

The check of a topic's criteria does not let these be written (422); [criteria.md](criteria.md) says why.

${markdownTable(['answer', 'tests', 'of these, fhirpath.js passes'], reasonRows(refused))}

## Another result

${markdownTable(['test', 'expression', 'wanted', 'here'], differing.map(differenceRow))}
`
  const path = new URL('../docs/fhirpath-differences.md', import.meta.url)
  return format(page, { ...(await resolveConfig(path)), parser: 'markdown' })
}

function reasonRows(refused: readonly SuiteResult[]): string[][] {
  const reasons = new Map<string, SuiteResult[]>()
  for (const result of refused) {
    const same = reasons.get(result.because)
    if (same) same.push(result)
    else reasons.set(result.because, [result])
  }
  return [...reasons]
    .toSorted(([, a], [, b]) => b.length - a.length)
    .map(([reason, same]) => [
      reason,
      String(same.length),
      String(same.filter(({ passesPlainly }) => passesPlainly).length),
    ])
}

function differenceRow({ test, because }: SuiteResult): string[] {
  const wanted =
    test.invalid === undefined
      ? test.output.map(([, text]) => text).join(', ') || 'nothing'
      : `an error (${test.invalid})`
  return [test.name, code(test.expression), wanted, short(because)]
}

function code(text: string): string {
  return `\`${text.replace(/\s+/g, ' ')}\``
}

function short(text: string): string {
  return text.length > 60 ? `${text.slice(0, 60)}…` : text
}
