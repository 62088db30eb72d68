import { getSearchParameters } from '@medplum/core'
import type { SearchParameter } from '@medplum/fhirtypes'
import { compileElementPaths, type ElementPath } from './element-path.ts'
import {
  answerableTypes,
  converterOf,
  hasSystem,
  isCaseSensitive,
  type AnswerableType,
  type TermWriter,
} from './term-values.ts'

/** A search parameter of one resource type, ready to find and to compare. */
export interface CompiledParameter {
  readonly code: string
  readonly type: AnswerableType
  readonly url: string
  /** Kept in a column of the resource itself, not among the terms. */
  readonly column?: 'id' | 'last_updated'
  readonly sources: readonly TermSource[]
  /** Answers whether there is a value other than false: `Patient.deceased`. */
  readonly isPresence: boolean
  readonly isCaseSensitive: boolean
  readonly hasSystem: boolean
  /** Types that its references may point to; `Resource` for every one. */
  readonly targets: readonly string[]
}

export interface TermSource {
  readonly path: ElementPath
  readonly convert: (value: unknown, writer: TermWriter) => void
}

export type CompiledParameters = ReadonlyMap<string, CompiledParameter>

type Definition = Pick<SearchParameter, 'code' | 'type' | 'url'> & { readonly expression: string }

const commonUrl = 'http://hl7.org/fhir/SearchParameter/Resource-'

const commonParameters: readonly Definition[] = [
  { code: '_id', type: 'token', url: `${commonUrl}id`, expression: 'Resource.id' },
  {
    code: '_lastUpdated',
    type: 'date',
    url: `${commonUrl}lastUpdated`,
    expression: 'Resource.meta.lastUpdated',
  },
  {
    code: '_profile',
    type: 'uri',
    url: `${commonUrl}profile`,
    expression: 'Resource.meta.profile',
  },
  {
    code: '_security',
    type: 'token',
    url: `${commonUrl}security`,
    expression: 'Resource.meta.security',
  },
  { code: '_source', type: 'uri', url: `${commonUrl}source`, expression: 'Resource.meta.source' },
  { code: '_tag', type: 'token', url: `${commonUrl}tag`, expression: 'Resource.meta.tag' },
]

/** Promises an algorithm that this index does not have. */
const unanswerable = new Set(['phonetic'])

const columns: Readonly<Record<string, CompiledParameter['column']>> = {
  _id: 'id',
  _lastUpdated: 'last_updated',
}

interface CacheEntry {
  readonly source: object | undefined
  readonly size: number
  readonly compiled: CompiledParameters
}

const cache = new Map<string, CacheEntry>()

/** The parameters of a type that can be answered, by code. They are compiled once, and again after one was added to core's index. */
export function compiledParameters(resourceType: string): CompiledParameters {
  const source = getSearchParameters(resourceType)
  const size = source ? Object.keys(source).length : 0
  const cached = cache.get(resourceType)
  if (cached && cached.source === source && cached.size === size) return cached.compiled
  const compiled = compileAll(resourceType, source ?? {})
  cache.set(resourceType, { source, size, compiled })
  return compiled
}

function compileAll(
  resourceType: string,
  source: Readonly<Record<string, SearchParameter>>,
): CompiledParameters {
  const own = Object.values(source).filter(({ code }) => !code.startsWith('_'))
  const all = [...commonParameters, ...own]
    .map(({ expression, ...rest }) => ({ ...rest, expression: expression ?? '' }))
    .flatMap((definition) => compile(resourceType, definition))
  return new Map(all.map((parameter) => [parameter.code, parameter]))
}

function compile(resourceType: string, definition: Definition): CompiledParameter[] {
  const { code, url } = definition
  const type = answerableTypes.find((known) => known === definition.type)
  if (type === undefined || unanswerable.has(code)) return []
  const { expression, isPresence } = presenceOf(resourceType, definition.expression)
  const sources = compileElementPaths(resourceType, expression).flatMap((path): TermSource[] => {
    const convert = isPresence ? () => undefined : converterOf(type, path.type)
    return convert ? [{ path, convert }] : []
  })
  if (sources.length === 0) return []
  const types = sources.map(({ path }) => path.type)
  const column = columns[code]
  return [
    {
      code,
      type,
      url,
      ...(column === undefined ? {} : { column }),
      sources,
      isPresence,
      isCaseSensitive: column === 'id' || types.some(isCaseSensitive),
      hasSystem: types.some(hasSystem),
      targets: [...new Set(sources.flatMap(({ path }) => path.targets))],
    },
  ]
}

/** `(A.b.exists() and A.b != false)`, the one boolean expression among R4's parameters. */
function presenceOf(
  resourceType: string,
  expression: string,
): { expression: string; isPresence: boolean } {
  for (const alternative of expression.split('|')) {
    const path = /^\(?(\S+)\.exists\(\) and \1 != false\)?$/.exec(alternative.trim())?.[1]
    if (path?.startsWith(`${resourceType}.`) === true) return { expression: path, isPresence: true }
  }
  return { expression, isPresence: false }
}
