import { readFile, writeFile } from 'node:fs/promises'
import type { OperationDefinition } from '@medplum/fhirtypes'
import { format, resolveConfig } from 'prettier'
import { markdownTable } from './markdown-table.ts'
import { errorCodes } from '../src/errors.ts'
import { kafkaParameterNames, kafkaParameters } from '../src/kafka/parameter-table.ts'
import { notificationBundle } from '../src/notifications/notification-bundle.ts'
import { statusOperationDefinition } from '../src/resources/status-operation-definition.ts'
import { dryRunOperationDefinition } from '../src/resources/topic-operation-definitions.ts'
import { serverVariables } from '../src/server/options.ts'
import { contractTable } from '../test/contract/contract-table.ts'

/** Fills the generated parts of README.md, which stand between `<!-- generated: name -->` and `<!-- end -->`, from the tables in src/ and test/contract/.
 *  With `--check` it writes nothing and exits 1 when one is not in step. */
const readmePath = new URL('../README.md', import.meta.url)

const parts: Readonly<Record<string, () => string | Promise<string>>> = {
  parameters: () =>
    markdownTable(
      ['parameter', 'type', 'meaning'],
      kafkaParameterNames.map((name) => {
        const { required, secret, isAidbox, canonicalFhirType, doc } = kafkaParameters[name]
        const notes = [
          required ? ' **required**' : '',
          secret ? ' (secret)' : '',
          isAidbox ? '' : ' (ours)',
        ]
        return [`\`${name}\`${notes.join('')}`, canonicalFhirType, doc]
      }),
    ),
  status: () => outParameters(statusOperationDefinition),
  'dry-run': () => outParameters(dryRunOperationDefinition),
  options: async () => markdownTable(['option', 'default', 'meaning'], await moduleOptions()),
  variables: () =>
    markdownTable(
      ['variable', 'default', 'meaning'],
      Object.values(serverVariables).map((variable) => [
        `\`${variable.name}\``,
        variable.default === undefined ? '' : `\`${String(variable.default)}\``,
        variable.doc,
      ]),
    ),
  errors: () =>
    markdownTable(
      ['code', 'meaning'],
      Object.entries(errorCodes).map(([code, meaning]) => [`\`${code}\``, meaning]),
    ),
  differences: () =>
    markdownTable(
      ['here', 'Aidbox', 'why'],
      Object.values(contractTable)
        .flatMap((suite) => Object.values(suite))
        .flatMap((area) => Object.values(area))
        .flatMap((row) => (row.verdict === 'same' ? [] : [[row.here, row.statement, row.because]])),
    ),
  notification: () => `\`\`\`json\n${exampleNotification()}\n\`\`\``,
}

function outParameters({ parameter = [] }: OperationDefinition): string {
  return markdownTable(
    ['parameter', 'type', 'meaning'],
    parameter
      .filter(({ use }) => use === 'out')
      .map(({ name, type, part, documentation }) => {
        const names = (part ?? []).map((one) => `\`${one.name}\``)
        return [`\`${name}\``, type ?? `parts ${names.join(', ')}`, documentation ?? '']
      }),
  )
}

/** The documentation of the module's options stands in one place: at the interface. */
async function moduleOptions(): Promise<string[][]> {
  const source = await readFile(new URL('../src/options.ts', import.meta.url), 'utf8')
  const body = /export interface ModuleOptions \{\n([\s\S]*?)\n\}/.exec(source)?.[1] ?? ''
  return [...body.matchAll(/\/\*\*([\s\S]*?)\*\/\s*readonly (\w+)(\??):/g)].map(
    ([, comment = '', name = '', optional]) => {
      const text = comment.replace(/\n\s*\*\s?/g, ' ').trim()
      const [, meaning = '', fallback = ''] = /^(.*?)(?:@default (.*))?$/.exec(text) ?? []
      const [value = '', ...limits] = fallback.split(/\s{2,}|(?<=\d) (?=0 )/)
      return [
        `\`${name}\`${optional === '' ? ' **required**' : ''}`,
        value.trim() === '' ? '' : `\`${value.trim().replaceAll("'", '')}\``,
        [meaning.trim(), ...limits.map((limit) => limit.trim())].filter(Boolean).join(' '),
      ]
    },
  )
}

function exampleNotification(): string {
  const text = notificationBundle(
    {
      topicUrl: 'http://example.org/topic/finished-encounters',
      eventNumber: 1,
      eventId: '4711',
      interaction: 'update',
      resourceType: 'Encounter',
      resourceId: 'e1',
      versionId: '2',
      at: new Date('2026-01-01T10:00:00Z'),
      correlationId: 'order-4711',
      body: JSON.stringify({
        resourceType: 'Encounter',
        id: 'e1',
        meta: { versionId: '2', lastUpdated: '2026-01-01T10:00:00.000Z' },
        status: 'finished',
        class: { system: 'http://terminology.hl7.org/CodeSystem/v3-ActCode', code: 'AMB' },
      }),
    },
    {
      reference: 'AidboxTopicDestination/encounters',
      kafkaTopic: 'encounters',
      keyByResourceId: true,
      content: 'full-resource',
      includeEntryAction: true,
      includeVersionId: true,
      includeVersionIdInFocusReference: false,
    },
    'http://127.0.0.1:8080/fhir',
  )
  return JSON.stringify(JSON.parse(text), undefined, 2)
}

async function filled(readme: string): Promise<string> {
  let result = readme
  for (const [name, make] of Object.entries(parts)) {
    const start = `<!-- generated: ${name} -->`
    const from = result.indexOf(start)
    const to = result.indexOf('<!-- end -->', from)
    if (from < 0 || to < 0) throw new Error(`README.md has no part "${name}".`)
    result = `${result.slice(0, from + start.length)}\n\n${await make()}\n\n${result.slice(to)}`
  }
  return format(result, { ...(await resolveConfig(readmePath)), parser: 'markdown' })
}

const readme = await readFile(readmePath, 'utf8')
const wanted = await filled(readme)
if (!process.argv.includes('--check')) await writeFile(readmePath, wanted)
else if (readme !== wanted) {
  console.error(
    'README.md differs from the tables in src/ and test/contract/. Run "npm run docs" and commit the result.',
  )
  process.exitCode = 1
}
