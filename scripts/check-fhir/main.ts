/** Whether what the module publishes and answers is FHIR R4, judged by HAPI FHIR's validator: npm run check:fhir
 *
 *  Needs Java 17 (JDK) and Maven. Starts the reference server on a PostgreSQL of its own. Prints what is refused and should not
 *  be, or is accepted and should not be, the messages that R4 makes unavoidable, and a closing line. Exit code 1 on a failure. */
import { mkdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import type { OperationOutcome, OperationOutcomeIssue } from '@medplum/fhirtypes'
import { mavenClassPath, requireJava } from '../../test/helpers/maven.ts'
import { definitions } from '../../src/resources/definitions.ts'
import { outputOf } from '../run-command.ts'
import { withTemporaryDirectory } from '../temporary-directory.ts'
import { subjects, type Subject } from './subjects.ts'
import { toleratedMessages } from './tolerated-messages.ts'

const here = import.meta.dirname

async function main(): Promise<number> {
  const all = await subjects()
  const outcomes = await withTemporaryDirectory('fhir', async (directory) =>
    validate(all, directory),
  )
  return report(all, outcomes)
}

/** The validator's answers, in the order of the subjects. */
async function validate(
  all: readonly Subject[],
  directory: string,
): Promise<readonly OperationOutcome[]> {
  const java = await requireJava(17)
  const classPath = await mavenClassPath(join(here, 'pom.xml'))
  const [published, toValidate] = [join(directory, 'definitions'), join(directory, 'resources')]
  await write(
    published,
    definitions.map((definition) => JSON.stringify(definition)),
  )
  await write(
    toValidate,
    all.map(({ json }) => json),
  )
  const flags = ['-Xmx1g', '-XX:+UseSerialGC', '-cp', classPath, join(here, 'Validate.java')]
  const output = await outputOf([java, ...flags, published, toValidate])
  const outcomes = output
    .split('\n')
    .filter((line) => line.startsWith('{'))
    .map((line) => JSON.parse(line) as OperationOutcome)
  if (outcomes.length !== all.length) {
    throw new Error(`${outcomes.length} answers of the validator for ${all.length} resources.`)
  }
  return outcomes
}

/** One file a text, in this order. */
async function write(directory: string, texts: readonly string[]): Promise<void> {
  await mkdir(directory)
  for (const [index, text] of texts.entries()) {
    await writeFile(join(directory, `${String(index).padStart(4, '0')}.json`), text)
  }
}

function report(all: readonly Subject[], outcomes: readonly OperationOutcome[]): number {
  const unseen = new Set(toleratedMessages)
  let failed = 0
  for (const [index, { name, kind, expected }] of all.entries()) {
    const against = (outcomes[index]?.issue ?? []).filter(isComplaint).filter((issue) => {
      const tolerated = toleratedMessages.find(
        ({ kinds, pattern }) => kinds.includes(kind) && pattern.test(messageOf(issue)),
      )
      if (tolerated) unseen.delete(tolerated)
      return !tolerated
    })
    if (against.length > 0 === (expected === 'refused')) continue
    failed++
    console.error(`${name}: must be ${expected}`)
    for (const issue of against) console.error(`  ${issue.severity}: ${messageOf(issue)}`)
  }
  for (const message of toleratedMessages) {
    if (unseen.has(message)) console.error(`never seen, take it off the list: ${message.what}`)
    else console.log(`tolerated: ${message.what}\n  ${message.reason}`)
  }
  failed += unseen.size
  const refused = all.filter(({ expected }) => expected === 'refused').length
  console.log(
    `${all.length - refused} resources to be valid, ${refused} to be refused, ${failed} failed`,
  )
  return failed > 0 ? 1 : 0
}

/** Warnings count as well; information is no complaint. */
function isComplaint({ severity }: OperationOutcomeIssue): boolean {
  return severity !== 'information'
}

function messageOf({ diagnostics, details, expression, location }: OperationOutcomeIssue): string {
  const place = expression?.[0] ?? location?.[0] ?? ''
  return `${place}: ${diagnostics ?? details?.text ?? ''}`
}

process.exitCode = await main()
