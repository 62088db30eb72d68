/** What the fullUrls of a bundle stand for: `Type/id`, or null while its entry has no resource. */
export type Placeholders = Map<string, string | null>

/** Where in a resource something was found: names of elements and positions in arrays. */
export type ElementPath = readonly (string | number)[]

export interface ConditionalReference {
  /** `Type?criteria` */
  readonly reference: string
  readonly path: ElementPath
}

// A relative reference in an entry with such a fullUrl means an entry with the same base.
// https://hl7.org/fhir/R4/bundle.html#references
const restfulUrl = /^(https?:\/\/.+\/)[A-Z][A-Za-z]*\/[A-Za-z0-9\-.]{1,64}$/

const conditionalReference = /^[A-Z][A-Za-z]*\?./

/** Elements of type uri, url, oid or uuid in R4 whose names nothing uses for a string, a code or a canonical. Those must stay:
 *  an identifier's value often is the UUID of the fullUrl. So must `url` of a resource itself, which others name by canonical. */
const linkNames = /^(?:policy|endpoint|issuer|authority|project|link)$|(?:Uri|Url|Oid|Uuid)$/

export function formatPath(path: ElementPath): string {
  return path.map((step) => (typeof step === 'number' ? `[${step}]` : `.${step}`)).join('')
}

/** The resource with every fullUrl of the bundle replaced by what it stands for (https://hl7.org/fhir/R4/http.html#trules). What holds none
 *  is the same object afterwards, not a copy. Conditional references are left as they are and listed.
 *  @param onMissing throws for a fullUrl whose entry has no resource */
export function replacePlaceholders<Value extends object>(
  resource: Value,
  placeholders: Placeholders,
  fullUrl: string | undefined,
  onMissing: (path: ElementPath) => never,
): { resource: Value; conditional: readonly ConditionalReference[] } {
  const base = restfulUrl.exec(fullUrl ?? '')?.[1]
  const conditional: ConditionalReference[] = []
  const replaced = mapLinks(resource, [], (text, name, path) => {
    if (name === 'div') return replaceInNarrative(text, placeholders)
    if (name === 'reference' && conditionalReference.test(text)) {
      const reference = replaceInConditional(text, placeholders)
      conditional.push({ reference, path: [...path] })
      return reference
    }
    const found = lookUp(text, placeholders, name === 'reference' ? base : undefined)
    return found === null ? onMissing(path) : (found ?? text)
  })
  return { resource: replaced, conditional }
}

/** The resource with its conditional references replaced. */
export function replaceConditional<Value extends object>(
  resource: Value,
  resolved: ReadonlyMap<string, string>,
): Value {
  return mapLinks(resource, [], (text, name) =>
    name === 'reference' ? (resolved.get(text) ?? text) : text,
  )
}

/** The query with every value that is a fullUrl of the bundle replaced by what it stands for. */
export function replaceInQuery(search: string, placeholders: Placeholders): string {
  if (search === '' || placeholders.size === 0) return search
  const parameters = [...new URLSearchParams(search)]
  const replaced = parameters.map(([name, values]): [string, string] => {
    const all = values.split(',').map((value) => placeholders.get(value) ?? value)
    return [name, all.join(',')]
  })
  // The client's own encoding stays where nothing is replaced.
  const isSame = replaced.every(([, value], index) => value === parameters[index]?.[1])
  return isSame ? search : new URLSearchParams(replaced).toString()
}

/** Whether a value of the query is the fullUrl of an entry without a resource. */
export function waitsForEntry(search: string, placeholders: Placeholders): boolean {
  return [...new URLSearchParams(search).values()]
    .flatMap((values) => values.split(','))
    .some((value) => placeholders.get(value) === null)
}

function replaceInConditional(reference: string, placeholders: Placeholders): string {
  const queryStart = reference.indexOf('?') + 1
  const search = reference.slice(queryStart)
  return reference.slice(0, queryStart) + replaceInQuery(search, placeholders)
}

function lookUp(
  text: string,
  placeholders: Placeholders,
  base: string | undefined,
): string | null | undefined {
  const fragmentStart = text.indexOf('#')
  const target = fragmentStart < 0 ? text : text.slice(0, fragmentStart)
  if (target === '') return undefined
  const exact = placeholders.get(target)
  const found = exact === undefined && base !== undefined ? placeholders.get(base + target) : exact
  return typeof found === 'string' && fragmentStart >= 0 ? found + text.slice(fragmentStart) : found
}

function replaceInNarrative(div: string, placeholders: Placeholders): string {
  return div.replace(
    /(\s(?:href|src)\s*=\s*)(["'])(.*?)\2/g,
    (attribute, start: string, quote: string, target: string) => {
      const found = lookUp(target, placeholders, undefined)
      return typeof found === 'string' ? `${start}${quote}${found}${quote}` : attribute
    },
  )
}

type ReplaceLink = (text: string, name: string, path: ElementPath) => string

/** Runs `replace` on every string that can be a link. Copies nothing but what holds a changed one. */
function mapLinks<Value extends object>(
  value: Value,
  path: (string | number)[],
  replace: ReplaceLink,
): Value {
  // Each element keeps its shape: strings become strings, arrays arrays, objects objects.
  return mapElement(value, '', path, replace) as Value
}

function mapElement(
  value: unknown,
  name: string,
  path: (string | number)[],
  replace: ReplaceLink,
): unknown {
  if (typeof value === 'string') {
    return mayLink(name, path) ? replace(value, name, path) : value
  }
  if (typeof value !== 'object' || value === null) return value
  return Array.isArray(value)
    ? mapItems(value, name, path, replace)
    : mapMembers(value, path, replace)
}

function mapItems(
  items: readonly unknown[],
  name: string,
  path: (string | number)[],
  replace: ReplaceLink,
): readonly unknown[] {
  let copy: unknown[] | undefined
  for (let index = 0; index < items.length; index++) {
    path.push(index)
    const mapped = mapElement(items[index], name, path, replace)
    path.pop()
    if (mapped === items[index]) continue
    copy ??= [...items]
    copy[index] = mapped
  }
  return copy ?? items
}

function mapMembers(value: object, path: (string | number)[], replace: ReplaceLink): object {
  let changed: Map<string, unknown> | undefined
  for (const [name, element] of Object.entries(value) as [string, unknown][]) {
    path.push(name)
    const mapped = mapElement(element, name, path, replace)
    path.pop()
    if (mapped === element) continue
    changed ??= new Map()
    changed.set(name, mapped)
  }
  // Not by assignment: a member may be called __proto__.
  return changed ? Object.fromEntries([...Object.entries(value), ...changed]) : value
}

function mayLink(name: string, path: ElementPath): boolean {
  if (name === 'reference' || name === 'div') return true
  return name === 'url' ? path.length > 1 : linkNames.test(name)
}
