/** The items of a source until the signal is aborted: it ends then, also when the source takes its time. The source is closed in every
 *  case.
 *  @throws what the source throws before the signal is aborted */
export async function* untilAborted<Item>(
  source: AsyncIterable<Item>,
  signal: AbortSignal,
): AsyncGenerator<Item, void, undefined> {
  const iterator = source[Symbol.asyncIterator]()
  let abort: () => void = () => undefined
  const aborted = new Promise<undefined>((resolve) => {
    abort = () => {
      resolve(undefined)
    }
  })
  signal.addEventListener('abort', abort, { once: true })
  if (signal.aborted) abort()
  try {
    for (;;) {
      const next = iterator.next()
      const result = await Promise.race([next.catch(unlessAborted), aborted])
      if (signal.aborted || result?.done !== false) return
      yield result.value
    }
  } finally {
    signal.removeEventListener('abort', abort)
    const closed = iterator.return?.()
    // Whoever does not hear the signal is not waited for.
    await Promise.race([closed?.catch(() => undefined), aborted])
  }

  function unlessAborted(error: unknown): undefined {
    if (!signal.aborted) throw error
    return undefined
  }
}
