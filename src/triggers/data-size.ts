/** Characters that take as long to compare as an item does. */
const charsPerItem = 64

/** How much there is to look at in some values of fhirpath.js, plain or in its wrappers: one for each object, list and primitive, and
 *  more for long strings. Counts no further than `limit`. */
export function dataSize(items: readonly unknown[], limit: number): number {
  let size = 0
  const open: unknown[] = []
  for (const item of items) {
    open.push(isResourceNode(item) ? item.data : plain(item))
    while (open.length > 0) {
      if (++size >= limit) return size
      const value = open.pop()
      if (typeof value === 'string') size += Math.floor(value.length / charsPerItem)
      else if (typeof value === 'object' && value !== null) {
        // One by one: as arguments of one call, a long list would end the stack.
        for (const each of Object.values(value)) open.push(each)
      }
    }
  }
  return size
}

/** fhirpath.js's wrapper around a value of a resource. */
export function isResourceNode(item: unknown): item is { readonly data: unknown } {
  return typeof item === 'object' && item !== null && 'parentResNode' in item && 'data' in item
}

/** A computed date or Quantity is compared as one value, and refers to much that is not part of it. */
function plain(item: unknown): unknown {
  return typeof item === 'object' ? undefined : item
}
