import { readFileSync } from 'node:fs'
import { Ajv, type ErrorObject, type ValidateFunction } from 'ajv'
import { isJsonObject } from '../resources/json-shapes.ts'
import type { Finding } from './finding.ts'

/** The published JSON Schema of the format. */
export const topologySchemaUrl: URL = new URL(
  '../../schemas/fhir-kafka-v1.schema.json',
  import.meta.url,
)

let compiled: ValidateFunction | undefined

/** What the JSON Schema has against a document. */
export function schemaFindings(value: unknown): Finding[] {
  compiled ??= new Ajv({
    allErrors: true,
    strict: true,
    allowUnionTypes: true,
    verbose: true,
  }).compile(JSON.parse(readFileSync(topologySchemaUrl, 'utf8')) as object)
  if (compiled(value)) return []
  return (compiled.errors ?? []).map(toFinding)
}

function toFinding(error: ErrorObject): Finding {
  const path = pathOf(error)
  const where = path.length === 0 ? 'The document' : `"${path.join('/')}"`
  return { check: 'schema', severity: 'error', message: `${where} ${reason(error)}.`, path }
}

/** Of an unknown key, the key itself. */
function pathOf({ instancePath, keyword, params }: ErrorObject): string[] {
  const path = instancePath
    .split('/')
    .slice(1)
    .map((step) => step.replaceAll('~1', '/').replaceAll('~0', '~'))
  if (keyword === 'additionalProperties') path.push(String(params['additionalProperty']))
  return path
}

function reason(error: ErrorObject): string {
  const { keyword, params, message = 'is not valid' } = error
  switch (keyword) {
    case 'additionalProperties':
      return `is not known here${suggestion(error)}`
    case 'enum':
      return `must be one of ${(params['allowedValues'] as unknown[]).join(', ')}`
    case 'const':
      return `must be ${String(params['allowedValue'])}`
    case 'required':
      return `needs "${String(params['missingProperty'])}"`
    case 'type':
      return `must be ${[params['type']].flat().join(' or ')}`
    case 'pattern':
      return explanation(error) ?? `must match ${String(params['pattern'])}`
    default:
      return explanation(error) ?? message
  }
}

/** What the schema itself says about the place. */
function explanation({ parentSchema }: ErrorObject): string | undefined {
  const text: unknown = isJsonObject(parentSchema) ? parentSchema['$comment'] : undefined
  return typeof text === 'string' ? text : undefined
}

/** The key that was meant, for one that differs in blanks or capitals. */
function suggestion({ params, parentSchema }: ErrorObject): string {
  const key = String(params['additionalProperty'])
  const properties: unknown = isJsonObject(parentSchema) ? parentSchema['properties'] : undefined
  const known = isJsonObject(properties) ? Object.keys(properties) : []
  const bare = (text: string): string => text.trim().toLowerCase()
  const meant = known.find((name) => bare(name) === bare(key))
  if (meant !== undefined) return `; write "${meant}"`
  return known.length === 0 ? '' : `; known are ${known.join(', ')}`
}
