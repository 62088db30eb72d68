import { OperationOutcomeError } from '@medplum/core'
import type { Bundle, BundleEntry } from '@medplum/fhirtypes'
import type { BundleContext } from './bundle-context.ts'
import { isCreate, parseEntry, type ParsedEntry } from './bundle-entry.ts'
import { processEntries, type EntriesContext } from './bundle-entries.ts'
import { entryError, failedEntry, locateInResource, locateOutcome } from './bundle-outcomes.ts'
import type { Placeholders } from './bundle-references.ts'
import { isRetryable } from '../database-errors.ts'
import { assertOutsideTransaction, operationAt } from '../operations.ts'
import { errorOutcome, outcomeOfError, statusOf } from '../outcomes.ts'
import { parseQuery } from '../request-url.ts'
import type { RestMethod } from '../routing.ts'

/** Processes a batch or a transaction (https://hl7.org/fhir/R4/http.html#transaction); the answers are in the order of the entries.
 *
 *  A transaction is one transaction of the store: DELETE, POST, PUT and PATCH, then GET and HEAD. A batch runs in the order of
 *  its entries, each for itself.
 *  @throws OperationOutcomeError when the bundle as a whole is refused, with the status and the path of the entry at fault */
export async function processBundle(bundle: Bundle, context: BundleContext): Promise<Bundle> {
  const { type, entry }: { type?: unknown; entry?: unknown } = bundle
  if (type !== 'batch' && type !== 'transaction') {
    throw bundleError('Bundle.type', 'Only a batch or a transaction can be posted here.')
  }
  if (!Array.isArray(entry) || entry.length === 0) {
    throw bundleError('Bundle.entry', `A ${type} needs entries.`)
  }
  const process = type === 'batch' ? processBatch : processTransaction
  return {
    resourceType: 'Bundle',
    type: `${type}-response`,
    entry: await process(entry as unknown[], context),
  }
}

async function processTransaction(
  entries: readonly unknown[],
  context: BundleContext,
): Promise<BundleEntry[]> {
  const parsed = entries.map((entry, index) => parse(entry, index, context))
  assertDistinctFullUrls(parsed)
  const entriesContext = contextOf(context, false)
  const serializable = parsed.some(({ condition }) => condition !== undefined)
  for (const entry of parsed) assertUndoable(entry, context)
  for (const entry of parsed) await askBeforeWrite(entry, context)
  try {
    // Runs again after a serialisation failure, so that whatever an attempt finds out belongs to it alone.
    return await context.store.withTransaction(
      async () => processEntries(parsed, new Map(), entriesContext),
      { serializable },
    )
  } catch (error) {
    throw located(error, parsed, entriesContext)
  }
}

/** @throws OperationOutcomeError that names the entry */
function assertUndoable({ index, segments }: ParsedEntry, { operations }: BundleContext): void {
  const operation = operationAt(operations, segments)
  if (!operation) return
  try {
    assertOutsideTransaction(operation)
  } catch (error) {
    throw new OperationOutcomeError(locateOutcome(outcomeOfError(error), index, 'request.url'))
  }
}

async function processBatch(
  entries: readonly unknown[],
  context: BundleContext,
): Promise<BundleEntry[]> {
  const entriesContext = contextOf(context, true)
  const parsed = entries.map((entry, index) => tryParse(entry, index, context))
  const placeholders: Placeholders = new Map(parsed.flatMap(placeholderOf))
  const answers: BundleEntry[] = []
  for (const [index, entry] of parsed.entries()) {
    try {
      if (entry instanceof OperationOutcomeError) throw entry
      answers.push(await processOne(entry, placeholders, context, entriesContext))
    } catch (error) {
      const outcome = outcomeOfError(error)
      const status = statusOf(outcome)
      // A database that is away makes every entry wait for it: the rest is not even tried.
      if (status === 503) {
        if (index === 0) throw error
        return [...answers, ...entries.slice(index).map(() => failedEntry(outcome))]
      }
      if (status >= 500) context.onFailure(error)
      answers.push(failedEntry(outcome))
    }
  }
  return answers
}

/** Entries of a batch must not depend on each other. Those that refer to an earlier one are served all the same: the alternative
 *  would be to store a reference that leads nowhere. */
async function processOne(
  parsed: ParsedEntry,
  placeholders: Placeholders,
  context: BundleContext,
  entriesContext: EntriesContext,
): Promise<BundleEntry> {
  const { store } = context
  const { condition, index } = parsed
  const run = async () => processEntries([parsed], placeholders, entriesContext)
  try {
    await askBeforeWrite(parsed, context)
    const answers = condition
      ? await store.withTransaction(run, { serializable: true })
      : await run()
    return answers[index] ?? {}
  } catch (error) {
    for (const [fullUrl, reference] of placeholderOf(parsed)) placeholders.set(fullUrl, reference)
    throw located(error, [parsed], entriesContext)
  }
}

/** @throws OperationOutcomeError that names the entry */
async function askBeforeWrite(
  { index, method, segments, search, body }: ParsedEntry,
  { beforeWrite, authorize, types, store }: BundleContext,
): Promise<void> {
  const [resourceType = '', id] = segments
  const interaction = interactionOf(method, segments)
  // Of types that keep ids, which are those of modules.
  if (!beforeWrite || !interaction || !types.keepsId(resourceType)) return
  if (!types.interactionsOf(resourceType).includes(interaction)) return
  try {
    await authorize?.(interaction, id === undefined ? resourceType : `${resourceType}/${id}`)
    const query = parseQuery(search)
    const read = (resourceId: string) => store.resources.read(resourceType, resourceId)
    await beforeWrite({ interaction, resourceType, id, body, query, read })
  } catch (error) {
    if (!(error instanceof OperationOutcomeError) || statusOf(error.outcome) >= 500) throw error
    throw new OperationOutcomeError(locateInResource(error.outcome, index, resourceType))
  }
}

function interactionOf(
  method: RestMethod,
  segments: readonly string[],
): 'create' | 'update' | 'patch' | undefined {
  if (isCreate({ method, segments })) return 'create'
  if (segments.length > 2) return undefined
  return method === 'PUT' ? 'update' : method === 'PATCH' ? 'patch' : undefined
}

function contextOf(
  { types, store, headers, route, authorize }: BundleContext,
  isBatch: boolean,
): EntriesContext {
  const failures = new WeakMap<object, number>()
  return { types, store, headers, route, isBatch, failures, ...(authorize ? { authorize } : {}) }
}

function parse(
  entry: unknown,
  index: number,
  { types, store, basePath }: BundleContext,
): ParsedEntry {
  return parseEntry(entry, index, {
    basePath,
    keepsId: (type) => types.keepsId(type),
    generateId: () => store.resources.generateId(),
  })
}

function tryParse(
  entry: unknown,
  index: number,
  context: BundleContext,
): ParsedEntry | OperationOutcomeError {
  try {
    return parse(entry, index, context)
  } catch (error) {
    if (error instanceof OperationOutcomeError) return error
    throw error
  }
}

/** What the fullUrl of an entry of a batch stands for as long as it has not succeeded. A url with an id is good without success. */
function placeholderOf(entry: ParsedEntry | OperationOutcomeError): [string, string | null][] {
  if (entry instanceof OperationOutcomeError) return []
  const { fullUrl, method, condition, identity } = entry
  if (fullUrl === undefined || !['POST', 'PUT', 'PATCH'].includes(method)) return []
  return [[fullUrl, method === 'POST' || condition ? null : (identity ?? null)]]
}

function assertDistinctFullUrls(entries: readonly ParsedEntry[]): void {
  const seen = new Set<string>()
  for (const { fullUrl, index } of entries) {
    if (fullUrl === undefined) continue
    if (seen.has(fullUrl)) throw entryError(index, 'fullUrl', 'Another entry has the same fullUrl.')
    seen.add(fullUrl)
  }
}

/** The error with the entry that it is about. An error of the server itself stays as it is, for its log, and so does a lost race, for who
 *  repeats the transaction around the bundle. */
function located(
  error: unknown,
  entries: readonly ParsedEntry[],
  { failures }: EntriesContext,
): unknown {
  if (typeof error !== 'object' || error === null || isRetryable(error)) return error
  const entry = entries.find(({ index }) => index === failures.get(error))
  if (!entry) return error
  const outcome = outcomeOfError(error)
  if (statusOf(outcome) >= 500) return error
  return new OperationOutcomeError(locateInResource(outcome, entry.index, entry.segments[0] ?? ''))
}

function bundleError(expression: string, text: string): OperationOutcomeError {
  const outcome = errorOutcome('bad-request', 'invalid', text)
  return new OperationOutcomeError({
    ...outcome,
    issue: outcome.issue.map((issue) => ({ ...issue, expression: [expression] })),
  })
}
