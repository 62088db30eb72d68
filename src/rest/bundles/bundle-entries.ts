import { OperationOutcomeError } from '@medplum/core'
import type { BundleEntry } from '@medplum/fhirtypes'
import type { BundleContext } from './bundle-context.ts'
import {
  resolveCondition,
  resolveConditionalReferences,
  type HeldReference,
  type ResolvedEntry,
} from './bundle-conditions.ts'
import type { ParsedEntry } from './bundle-entry.ts'
import { answerEntry, entryError } from './bundle-outcomes.ts'
import {
  formatPath,
  replaceConditional,
  replaceInQuery,
  replacePlaceholders,
  waitsForEntry,
  type Placeholders,
} from './bundle-references.ts'
import { statusOf } from '../outcomes.ts'
import { parseQuery } from '../request-url.ts'

export interface EntriesContext extends Pick<
  BundleContext,
  'types' | 'store' | 'headers' | 'route' | 'authorize'
> {
  readonly isBatch: boolean
  /** Positions of the entries whose routes threw. The errors themselves go on unchanged: the store repeats what lost a race. */
  readonly failures: WeakMap<object, number>
}

/** Runs entries in the order of https://hl7.org/fhir/R4/http.html#trules, and answers by their positions.
 *
 *  Conditions are decided when the deletes are done and before anything else is written, because the ids that they find are
 *  needed by the entries that refer to them. Conditional references are searched when everything is written that holds none: they
 *  find what the bundle itself creates, too, and an entry that holds one is written after all others.
 *  @param placeholders gets what the fullUrls of these entries stand for */
export async function processEntries(
  entries: readonly ParsedEntry[],
  placeholders: Placeholders,
  context: EntriesContext,
): Promise<BundleEntry[]> {
  const answers: BundleEntry[] = []
  const runAll = async (some: readonly ResolvedEntry[]) => {
    for (const entry of some) answers[entry.index] = await runEntry(entry, context)
  }
  assertDistinct(entries.filter(({ condition }) => !condition))
  const deletes = await resolveAll(
    entries.filter(({ method }) => method === 'DELETE'),
    placeholders,
    context,
  )
  await runAll(inOrder(deletes))

  const others = entries.filter(({ method }) => method !== 'DELETE')
  const resolved = await resolveAll(others, placeholders, context)
  assertDistinct([...deletes, ...resolved])
  const { ready, waiting, references } = linkEntries(resolved, placeholders)
  const isRead = ({ method }: ResolvedEntry) => method === 'GET' || method === 'HEAD'
  await runAll(inOrder(ready.filter((entry) => !isRead(entry))))
  if (waiting.length > 0) {
    const found = await resolveConditionalReferences(references, context)
    await runAll(
      inOrder(waiting).map(({ body = {}, ...entry }) => ({
        ...entry,
        body: replaceConditional(body, found),
      })),
    )
  }
  await runAll(ready.filter(isRead))
  return answers
}

/** Creates as they stand in the bundle, then what locks a resource that exists, by its identity: two bundles that write the same
 *  resources wait for each other then, where each other order would have them deadlock. */
function inOrder(entries: readonly ResolvedEntry[]): ResolvedEntry[] {
  const lockKey = ({ method, identity = '' }: ResolvedEntry) => (method === 'POST' ? '' : identity)
  return entries
    .map((entry) => ({ entry, key: lockKey(entry) }))
    .toSorted((a, b) => (a.key < b.key ? -1 : Number(a.key > b.key)))
    .map(({ entry }) => entry)
}

/** Decides the conditions, those first that name no other conditional entry. */
async function resolveAll(
  entries: readonly ParsedEntry[],
  placeholders: Placeholders,
  context: EntriesContext,
): Promise<ResolvedEntry[]> {
  const resolved: ResolvedEntry[] = entries.filter(({ condition }) => !condition)
  let pending = entries.filter(({ condition }) => condition)
  for (const { fullUrl, method } of pending) {
    if (fullUrl !== undefined && method !== 'DELETE') placeholders.set(fullUrl, null)
  }
  for (const entry of resolved) remember(entry, placeholders)
  const created = new Set<string>()
  while (pending.length > 0) {
    const later: ParsedEntry[] = []
    for (const entry of pending) {
      if (!entry.condition || waitsForEntry(entry.condition.criteria, placeholders)) {
        later.push(entry)
        continue
      }
      const criteria = replaceInQuery(entry.condition.criteria, placeholders)
      const condition = { ...entry.condition, criteria }
      const found = await resolveCondition({ ...entry, condition }, context)
      if (found.isUnmatched) assertFirst(created, found, criteria)
      remember(found, placeholders)
      resolved.push(found)
    }
    const [first] = later
    if (first?.condition && later.length === pending.length) {
      const text = 'The condition needs the id of an entry that has none yet.'
      throw entryError(first.index, first.condition.element, text)
    }
    pending = later
  }
  return resolved.toSorted((a, b) => a.index - b.index)
}

function remember({ fullUrl, identity, method }: ParsedEntry, placeholders: Placeholders): void {
  if (fullUrl === undefined || identity === undefined || method === 'DELETE') return
  placeholders.set(fullUrl, identity)
}

/** Two entries that would create under one condition would each create: the condition exists to prevent that. */
function assertFirst(created: Set<string>, entry: ResolvedEntry, criteria: string): void {
  const [type = ''] = entry.segments
  const key = `${type}?${criteria}`
  const element = entry.condition?.element ?? 'request.url'
  if (created.has(key)) throw entryError(entry.index, element, 'Another entry has this condition.')
  created.add(key)
}

/** @throws OperationOutcomeError when a resource would be written twice: the result would depend on the order */
function assertDistinct(entries: readonly ResolvedEntry[]): void {
  const written = new Set<string>()
  for (const { identity, index, answer, method } of entries) {
    if (identity === undefined || answer || method === 'GET' || method === 'HEAD') continue
    if (written.has(identity)) {
      throw entryError(index, 'request.url', 'Another entry writes the same resource.')
    }
    written.add(identity)
  }
}

interface LinkedEntries {
  readonly ready: ResolvedEntry[]
  /** Those that hold conditional references. */
  readonly waiting: ResolvedEntry[]
  readonly references: HeldReference[]
}

/** Replaces what the fullUrls of the bundle stand for in urls and bodies. */
function linkEntries(entries: readonly ResolvedEntry[], placeholders: Placeholders): LinkedEntries {
  const linked: LinkedEntries = { ready: [], waiting: [], references: [] }
  for (const entry of entries) {
    const { index, fullUrl, body } = entry
    const search = replaceInQuery(entry.search, placeholders)
    if (!body || entry.answer) {
      linked.ready.push({ ...entry, search })
      continue
    }
    const { resource, conditional } = replacePlaceholders(body, placeholders, fullUrl, (path) => {
      const text = 'The reference is to an entry that has no resource, or not yet.'
      throw entryError(index, `resource${formatPath(path)}`, text)
    })
    const target = conditional.length === 0 ? linked.ready : linked.waiting
    target.push({ ...entry, search, body: resource })
    linked.references.push(...conditional.map((reference) => ({ ...reference, index })))
  }
  return linked
}

async function runEntry(entry: ResolvedEntry, context: EntriesContext): Promise<BundleEntry> {
  const { index, method, segments, search, headers, body, answer } = entry
  const { route, isBatch, failures } = context
  const isSearch = method === 'POST' && segments.at(-1) === '_search'
  try {
    const query = parseQuery(search)
    const routed =
      answer ??
      (await route(
        {
          method,
          segments,
          search,
          query,
          body: isSearch ? query : body,
          headers,
        },
        // Creates keep the id that was assigned. A DELETE is only lenient in a batch.
        { batch: isBatch || method !== 'DELETE' },
      ))
    const [outcome] = routed.response
    if (statusOf(outcome) >= 400) throw new OperationOutcomeError(outcome)
    return answerEntry(routed, { method, headers }, context.headers['prefer'])
  } catch (error) {
    if (typeof error === 'object' && error !== null) failures.set(error, index)
    throw error
  }
}
