import {
  getAllDataTypes,
  OperationOutcomeError,
  parseStructureDefinition,
  validateTypedValue,
} from '@medplum/core'
import type { OperationOutcomeIssue, StructureDefinition } from '@medplum/fhirtypes'
import { refusal } from './issue.ts'
import { formIssues } from './json-form.ts'
import { isJsonObject, type JsonObject } from './json-shapes.ts'

/** Elements whose content cannot be known here and must not be ignored either. */
const refusedElements = ['contained', 'implicitRules', 'modifierExtension'] as const

/** Elements that name a topic. PostgreSQL keeps them in an index, whose entries have at most 2,704 bytes. */
const urlElements = ['topic', 'url'] as const
const maxUrlBytes = 2_000

/** Everything in `resource` that its type does not allow. Never throws, whatever JSON it gets. */
export function structureIssues(
  resource: unknown,
  definition: StructureDefinition,
): OperationOutcomeIssue[] {
  const typeName = definition.type
  if (!isJsonObject(resource) || resource['resourceType'] !== typeName) {
    return [refusal('structure', `Write an object with the resourceType ${typeName}.`, typeName)]
  }
  const form = formIssues(resource, definition)
  if (form.isTooLarge) return [...form.issues]
  const refused = refusedElements
    .filter((element) => resource[element] !== undefined)
    .map((element) =>
      refusal(
        'not-supported',
        `Leave out ${element}; ${typeName} does not support it.`,
        `${typeName}.${element}`,
      ),
    )
  const { contained: _contained, ...checked } = resource
  const byDefinition = coreIssues(checked, definition, typeName)
  if (!byDefinition) {
    const unreadable = `This cannot be read as ${typeName}; check its form.`
    return form.issues.length > 0 ? [...form.issues] : [refusal('structure', unreadable, typeName)]
  }
  const told = new Set([...refused, ...byDefinition].flatMap(({ expression = [] }) => expression))
  return [
    ...refused,
    ...byDefinition,
    ...form.issues.filter(({ expression: [path = ''] = [] }) => !told.has(path)),
    ...longUrlIssues(resource, typeName),
  ]
}

function longUrlIssues(resource: JsonObject, typeName: string): OperationOutcomeIssue[] {
  return urlElements
    .filter((element) => {
      const url = resource[element]
      return typeof url === 'string' && Buffer.byteLength(url) > maxUrlBytes
    })
    .map((element) =>
      refusal(
        'too-long',
        `Write a shorter ${element}; ${maxUrlBytes} bytes are the most.`,
        `${typeName}.${element}`,
      ),
    )
}

/** `undefined`: @medplum/core stumbled. */
function coreIssues(
  resource: JsonObject,
  definition: StructureDefinition,
  typeName: string,
): OperationOutcomeIssue[] | undefined {
  ensureKnown(definition, typeName)
  try {
    validateTypedValue({ type: typeName, value: resource })
    return []
  } catch (error) {
    if (!(error instanceof OperationOutcomeError)) return undefined
    return error.outcome.issue
      .filter(({ severity }) => severity === 'error')
      .map((issue) => inOurWords(issue, typeName))
  }
}

/** @medplum/core only files types of HL7 and of its own under their name, and looks up the parts of a resource by name.
 *  A host may have registered our type already, or never do it, so this asks each time. */
function ensureKnown(definition: StructureDefinition, typeName: string): void {
  const known = getAllDataTypes()
  if (known[typeName]?.url === definition.url) return
  const schema = parseStructureDefinition(definition)
  known[typeName] = schema
  for (const inner of schema.innerTypes) known[inner.name] = inner
}

type Translation = readonly [
  pattern: RegExp,
  code: NonNullable<OperationOutcomeIssue['code']>,
  text: (path: string, found: readonly string[]) => string,
]

/** Messages of @medplum/core, and how to say them so that a client knows what to write instead. */
const translations: readonly Translation[] = [
  [/^Constraint \S+ not met: (.*)/s, 'value', (_path, [human = '']) => human],
  [
    /^Invalid additional property/,
    'structure',
    (path) => `Leave out ${path}; there is no such element.`,
  ],
  [/^Missing required/, 'required', (path) => `Add ${path}; it is required.`],
  [
    /^Invalid empty|^String must contain/,
    'value',
    (path) => `Give ${path} a value or leave it out; it is empty.`,
  ],
  [/^Expected array/, 'structure', (path) => `Write ${path} as an array.`],
  [/^Expected single/, 'structure', (path) => `Write ${path} as a single value, not as an array.`],
  [
    /^Invalid JSON type: expected (\w+), but got (\w+)/,
    'value',
    (path, [want = '', got = '']) => `Write ${path} as a JSON ${want}, not as ${got}.`,
  ],
  [/^Invalid null/, 'structure', (path) => `Leave out ${path}; null is not allowed.`],
  [
    /^Invalid (\w+) format/,
    'value',
    (path, [type = '']) => `Write ${path} in the format of the FHIR type ${type}.`,
  ],
  [
    /^Expected number to be (.+)/,
    'value',
    (path, [want = '']) => `Write ${path} as a number that is ${want}.`,
  ],
]

function inOurWords(issue: OperationOutcomeIssue, typeName: string): OperationOutcomeIssue {
  const said = issue.details?.text ?? ''
  // A choice is `value[x]` in definitions and `value` in FHIRPath.
  const path = (issue.expression?.[0] ?? typeName).replaceAll('[x]', '')
  for (const [pattern, code, text] of translations) {
    const found = pattern.exec(said)
    if (found) return refusal(code, text(path, found.slice(1)), path)
  }
  return refusal(issue.code, `Check ${path}: ${said}.`, path)
}
