import { readFile, writeFile } from 'node:fs/promises'
import { fileURLToPath } from 'node:url'
import type { OperationDefinition } from '@medplum/fhirtypes'
import { format, resolveConfig } from 'prettier'
import { commandParts } from './command-parts.ts'
import { differencesPage } from './fhirpath-differences.ts'
import { consoleRoutes } from '../src/console/routes.ts'
import { errorCodes } from '../src/errors.ts'
import { causeNamed, kafkaCauses, type KafkaCauseName } from '../src/kafka/kafka-causes.ts'
import { kafkaParameterNames, kafkaParameters } from '../src/kafka/parameter-table.ts'
import { markdownTable } from '../src/markdown-table.ts'
import { notificationBundle } from '../src/notifications/notification-bundle.ts'
import { channelTable } from '../src/observability/channel-table.ts'
import { logLines } from '../src/observability/log-lines.ts'
import { metricTable } from '../src/observability/metric-table.ts'
import { spanTable } from '../src/observability/span-table.ts'
import { retryHeaders } from '../src/retry/retry-headers.ts'
import { statusOperationDefinition } from '../src/resources/status-operation-definition.ts'
import { dryRunOperationDefinition } from '../src/resources/topic-operation-definitions.ts'
import { serverVariables } from '../src/server/options.ts'
import { topologyChecks } from '../src/topology/finding.ts'
import { functionArities, refusedFunctions } from '../src/triggers/criteria-language.ts'
import { contractTable } from '../test/contract/contract-table.ts'
import { runFhirPathSuite } from '../test/helpers/fhirpath-suite.ts'

/** Fills the generated parts of README.md and docs/, which stand between `<!-- generated: name -->` and `<!-- end -->`, from the tables in
 *  src/ and test/contract/, and writes docs/fhirpath-differences.md.
 *  With `--check` it writes nothing and exits 1 when one is not in step. */
const partsByFile: Readonly<Record<string, readonly string[]>> = {
  'README.md': [
    'parameters',
    'status',
    'options',
    'variables',
    'errors',
    'differences',
    'notification',
  ],
  'docs/console.md': ['console-routes'],
  'docs/kafka-errors.md': ['kafka-causes'],
  'docs/criteria.md': ['criteria-functions', 'criteria-refused', 'criteria-limits'],
  'docs/command-line.md': ['commands', 'exit-codes'],
  'docs/topology.md': ['topology-commands', 'topology-checks', 'retry-options', 'retry-headers'],
  'docs/observability.md': ['metrics', 'spans', 'channels'],
  'docs/logs.md': ['log-lines'],
}

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
  options: () => optionTable('options.ts', 'ModuleOptions'),
  'retry-options': () => optionTable('retry/retry-options.ts', 'RetryOptions'),
  'retry-headers': () =>
    markdownTable(
      ['header', 'meaning'],
      Object.entries(retryHeaders).map(([name, doc]) => [`\`${name}\``, doc]),
    ),
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
  'kafka-causes': () =>
    markdownTable(
      ['message', 'parameter', 'what to do'],
      (Object.keys(kafkaCauses) as KafkaCauseName[]).map((name) => [
        causeNamed(name, causePlaceholders).message,
        `\`${kafkaCauses[name].parameter}\``,
        kafkaCauses[name].remedy,
      ]),
    ),
  differences: () =>
    markdownTable(
      ['here', 'Aidbox', 'why'],
      Object.values(contractTable)
        .flatMap((suite) => Object.values(suite))
        .flatMap((area) => Object.values(area))
        .flatMap((row) => (row.verdict === 'same' ? [] : [[row.here, row.statement, row.because]])),
    ),
  'console-routes': () =>
    markdownTable(
      ['route', 'right', 'does', 'query'],
      consoleRoutes.map(({ method, path, right, doc, query = {}, isLive }) => [
        `${method} \`${path}\`${isLive ? ' (live)' : ''}`,
        right,
        doc,
        Object.entries(query)
          .map(([name, meaning]) => `\`${name}\`: ${meaning}`)
          .join(' '),
      ]),
    ),
  'criteria-functions': () =>
    [...functionArities.keys()]
      .toSorted()
      .map((name) => `\`${name}\``)
      .join(', '),
  'criteria-refused': () =>
    markdownTable(
      ['function', 'why, or what to write instead'],
      [...refusedFunctions].map(([name, reason]) => [`\`${name}\``, reason]),
    ),
  'criteria-limits': async () => markdownTable(['limit', 'of'], await criteriaLimitRows()),
  ...commandParts,
  'topology-checks': () =>
    markdownTable(
      ['check', 'asks that'],
      Object.entries(topologyChecks).map(([id, doc]) => [`\`${id}\``, doc]),
    ),
  metrics: () =>
    markdownTable(
      ['metric', 'type', 'scope', 'labels', 'meaning'],
      Object.values(metricTable).map(({ name, type, scope, labels, help }) => [
        `\`${name}\``,
        type,
        scope,
        labels.map((label) => `\`${label}\``).join(', '),
        help,
      ]),
    ),
  spans: () =>
    markdownTable(
      ['span', 'kind', 'what it is', 'attributes'],
      Object.values(spanTable).map(({ name, kind, doc, attributes }) => [
        `\`${name}\``,
        kind,
        doc,
        attributes.map((attribute) => `\`${attribute}\``).join(', '),
      ]),
    ),
  channels: () =>
    markdownTable(
      ['channel', 'message when', 'fields, beside `schema`'],
      Object.values(channelTable).map(({ name, doc, fields }) => [
        `\`${name}\``,
        doc,
        Object.entries(fields)
          .map(([field, meaning]) => `\`${field}\`: ${meaning}`)
          .join(' '),
      ]),
    ),
  'log-lines': () =>
    markdownTable(
      ['code', 'level', 'sentence', 'what to do', 'repeats'],
      Object.entries(logLines).map(([code, { level, message, action, repeats }]) => [
        `\`${code}\``,
        level === 'destination' ? "the destination's" : level,
        message,
        action,
        repeats === 'every' ? 'every one' : 'once a minute',
      ]),
    ),
  notification: () => `\`\`\`json\n${exampleNotification()}\n\`\`\``,
}

/** What differs from case to case. */
const causePlaceholders = {
  broker: '‹host:port›',
  kafkaTopic: '‹topic›',
  transactionalId: '‹id›',
  detail: '‹detail›',
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

/** The documentation of options stands in one place: at their interface.
 *  @param file below src/ */
async function optionTable(file: string, interfaceName: string): Promise<string> {
  const source = await readFile(new URL(`../src/${file}`, import.meta.url), 'utf8')
  const [, rest = ''] = source.split(`export interface ${interfaceName} {\n`)
  const [body = ''] = rest.split('\n}')
  const rows = [...body.matchAll(/\/\*\*([\s\S]*?)\*\/\s*readonly (\w+)(\??):/g)].map(
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
  return markdownTable(['option', 'default', 'meaning'], rows)
}

/** The documentation of the limits stands in one place: at the limits. */
async function criteriaLimitRows(): Promise<string[][]> {
  const path = new URL('../src/triggers/criteria-language.ts', import.meta.url)
  const [, body = ''] =
    /export const criteriaLimits = \{\n([\s\S]*?)\n\} as const/.exec(
      await readFile(path, 'utf8'),
    ) ?? []
  return [...body.matchAll(/\/\*\*([\s\S]*?)\*\/\s*\w+: ([\d_]+)/g)].map(
    ([, comment = '', value = '']) => [
      Number(value.replaceAll('_', '')).toLocaleString('en-US'),
      comment.replace(/\n\s*\*\s?/g, ' ').trim(),
    ],
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

async function filled(path: URL, names: readonly string[]): Promise<string> {
  let result = await readFile(path, 'utf8')
  for (const name of names) {
    const start = `<!-- generated: ${name} -->`
    const from = result.indexOf(start)
    const to = result.indexOf('<!-- end -->', from)
    const make = parts[name]
    if (from < 0 || to < 0 || !make)
      throw new Error(`${fileURLToPath(path)} has no part "${name}".`)
    result = `${result.slice(0, from + start.length)}\n\n${await make()}\n\n${result.slice(to)}`
  }
  return format(result, { ...(await resolveConfig(path)), parser: 'markdown' })
}

async function wantedFiles(): Promise<readonly (readonly [file: string, text: string])[]> {
  const files: [string, string][] = []
  for (const [file, names] of Object.entries(partsByFile)) {
    files.push([file, await filled(new URL(`../${file}`, import.meta.url), names)])
  }
  return [
    ...files,
    ['docs/fhirpath-differences.md', await differencesPage(await runFhirPathSuite())],
  ]
}

for (const [file, wanted] of await wantedFiles()) {
  const path = new URL(`../${file}`, import.meta.url)
  if (!process.argv.includes('--check')) await writeFile(path, wanted)
  else if ((await readFile(path, 'utf8')) !== wanted) {
    console.error(
      `${file} differs from what it is made of. Run "npm run docs" and commit the result.`,
    )
    process.exitCode = 1
  }
}
